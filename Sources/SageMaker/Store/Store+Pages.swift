import Encodings
import GRDB

/// The filters, the order and the page of a List operation. Times are in seconds since 1970; bounds are exclusive.
struct ListQuery: Sendable, Hashable {
  enum Key: String, Sendable { case name, created, status, objective }

  var nameContains: String?
  var createdAfter: Double?
  var createdBefore: Double?
  var modifiedAfter: Double?
  var modifiedBefore: Double?
  var status: String?
  var parent: String?
  var key = Key.created
  var isAscending = false
  var most = 10
  var token: String?
}

struct ResourcePage: Sendable {
  var resources: [Resource]
  /// The pagination token of the next page; nil on the last page.
  var token: String?
}

extension Store {
  /// One page of a list. The resources' requests are left empty.
  ///
  /// A page starts after the sort key of the previous page's last row, so resources that are created or deleted between two
  /// pages neither repeat nor hide other rows.
  ///
  /// - Throws: `.validation` for a malformed token, or one of a list with other filters or another order.
  func page(_ kind: ResourceKind, _ query: ListQuery) async throws(ControlPlaneError) -> ResourcePage {
    let place = try query.token.map { token throws(ControlPlaneError) in try query.place(token) }
    let (sql, arguments) = query.statement(kind.table, after: place)
    return try await read { database in
      var resources: [Resource] = []
      var last: Int64 = 0
      var hasMore = false
      for row in try Row.fetchAll(database, sql: sql, arguments: arguments) {
        guard resources.count < query.most else {
          hasMore = true
          break
        }
        resources.append(try Resource(row, hasRequest: false))
        last = row["id"]
      }
      return ResourcePage(
        resources: resources,
        token: hasMore ? resources.last.map { query.token(after: $0, id: last) } : nil)
    }
  }
}

extension ListQuery {
  /// The sort columns. They end with the unique `id`, so the order is total and a token names one position.
  private var columns: [String] {
    switch key {
    case .name: ["name", "id"]
    case .created: ["created", "id"]
    case .status: ["status", "created", "id"]
    case .objective: ["objective", "created", "id"]
    }
  }

  func statement(_ table: String, after place: [JSON]?) -> (sql: String, arguments: StatementArguments) {
    var conditions: [String] = []
    var arguments: [(any DatabaseValueConvertible)?] = []
    func add(_ condition: String, _ value: (any DatabaseValueConvertible)?) {
      guard let value else { return }
      conditions.append(condition)
      arguments.append(value)
    }
    add("parent = ?", parent)
    add("status = ?", status)
    add("instr(name, ?) > 0", nameContains)
    add("created > ?", createdAfter)
    add("created < ?", createdBefore)
    add("modified > ?", modifiedAfter)
    add("modified < ?", modifiedBefore)
    // SageMaker leaves out the jobs without an objective.
    if key == .objective { conditions.append("objective IS NOT NULL") }
    if let place {
      conditions.append(
        "(\(columns.joined(separator: ", "))) \(isAscending ? ">" : "<") "
          + "(\(columns.map { _ in "?" }.joined(separator: ", ")))")
      arguments += place.map { $0.text ?? $0.number }
    }
    let order = columns.map { "\($0) \(isAscending ? "ASC" : "DESC")" }.joined(separator: ", ")
    let found = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
    // The subquery needs only an index; only the rows of the page are read from the table.
    let sql = """
      SELECT id, name, arn, created, modified, status, parent, objective, state FROM \(table) WHERE id IN (
        SELECT id FROM \(table) \(found) ORDER BY \(order) LIMIT \(most + 1))
      ORDER BY \(order)
      """
    return (sql, StatementArguments(arguments))
  }

  /// The pagination token for the rows after a resource: the fingerprint of the query and the sort key, in hexadecimal
  /// because it is opaque to clients.
  func token(after resource: Resource, id: Int64) -> String {
    let place: [JSON] =
      switch key {
      case .name: [.string(resource.name)]
      case .created: [.number(resource.created)]
      case .status: [.string(resource.status), .number(resource.created)]
      case .objective: [.number(resource.objective ?? 0), .number(resource.created)]
      }
    let content = JSON.list([.string(fingerprint)] + place + [.integer(Int(clamping: id))])
    return content.bytes.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }

  /// Decodes a pagination token to the values of `columns`.
  fileprivate func place(_ token: String) throws(ControlPlaneError) -> [JSON] {
    let digits = Array(token.utf8)
    let bytes = stride(from: 0, to: digits.count - digits.count % 2, by: 2).compactMap {
      UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16)
    }
    guard bytes.count * 2 == digits.count, let content = try? JSON(parsing: bytes), let parts = content.list,
      parts.count == columns.count + 1, parts[0].text == fingerprint
    else {
      throw .invalid("Invalid NextToken: it belongs to a list with other filters or another order.")
    }
    return Array(parts.dropFirst())
  }

  /// A hash of the filters and the order; the page size does not change it.
  private var fingerprint: String {
    var query = self
    query.token = nil
    query.most = 0
    let text = JSON.list([
      .string(query.nameContains ?? ""), .number(query.createdAfter ?? -1),
      .number(query.createdBefore ?? -1),
      .number(query.modifiedAfter ?? -1), .number(query.modifiedBefore ?? -1), .string(query.status ?? ""),
      .string(query.parent ?? ""), .string(query.key.rawValue), .bool(query.isAscending),
    ])
    // FNV-1a detects a token that is used for the wrong list by accident; it does not stop forgery.
    let hash = text.bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    return String(hash, radix: 36)
  }
}

/// One page of resources of several kinds, newest first.
package struct NewestPage: Sendable {
  package var rows: [(kind: ResourceKind, resource: Resource)] = []
  /// The pagination token of the next page; nil on the last page.
  package var next: String?
}

/// A resource's position in the order of all kinds.
private struct NewestPlace: Comparable {
  let created: Double
  /// The index of the kind in `ResourceKind.allCases`. It orders resources that were created at the same time.
  let rank: Int
  let id: Int64

  static func < (left: NewestPlace, right: NewestPlace) -> Bool {
    (left.created, left.rank, left.id) < (right.created, right.rank, right.id)
  }

  var token: String { "\(created.bitPattern).\(rank).\(id)" }

  init(created: Double, rank: Int, id: Int64) { (self.created, self.rank, self.id) = (created, rank, id) }

  init?(token: String) {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let bits = UInt64(parts[0]), let rank = Int(parts[1]), let id = Int64(parts[2])
    else { return nil }
    self.init(created: Double(bitPattern: bits), rank: rank, id: id)
  }

  /// The SQL condition for the rows of a kind that come after this position.
  func condition(_ rank: Int) -> (sql: String, arguments: StatementArguments) {
    if rank == self.rank { return ("WHERE (created, id) < (?, ?)", [created, id]) }
    return (rank < self.rank ? "WHERE created <= ?" : "WHERE created < ?", [created])
  }
}

extension Store {
  /// One page of the resources of the given kinds, newest first, with their requests.
  ///
  /// - Throws: `.validation` for a malformed token.
  /// - Complexity: reads at most `kinds.count * (most + 1)` rows, each through an index.
  package func newest(
    _ kinds: [ResourceKind], most: Int, after token: String? = nil
  ) async throws(ControlPlaneError) -> NewestPage {
    let place = token.flatMap { NewestPlace(token: $0) }
    guard token == nil || place != nil else {
      throw .invalid("The page token is not valid; start again at the first page.")
    }
    return try await read { database in
      var found: [(place: NewestPlace, kind: ResourceKind, resource: Resource)] = []
      for (rank, kind) in ResourceKind.allCases.enumerated() where kinds.contains(kind) {
        let (condition, arguments) = place?.condition(rank) ?? ("", [])
        let rows = try Row.fetchAll(
          database,
          sql:
            "SELECT * FROM \(kind.table) \(condition) ORDER BY created DESC, id DESC LIMIT \(max(0, most) + 1)",
          arguments: arguments)
        for row in rows {
          found.append(
            (
              NewestPlace(created: row["created"], rank: rank, id: row["id"]), kind,
              try Resource(row, hasRequest: true)
            ))
        }
      }
      let sorted = found.sorted { $1.place < $0.place }
      let shown = sorted.prefix(max(0, most))
      return NewestPage(
        rows: shown.map { ($0.kind, $0.resource) },
        next: shown.count < sorted.count ? shown.last?.place.token : nil)
    }
  }

  /// At most `most` training jobs of a tuning job, oldest first.
  package func trainingJobs(of tuning: String, most: Int) async throws(ControlPlaneError) -> [Resource] {
    try await read { database in
      try Row.fetchAll(
        database, sql: "SELECT * FROM training_job WHERE parent = ? ORDER BY created, id LIMIT ?",
        arguments: [tuning, most]
      ).map { try Resource($0, hasRequest: true) }
    }
  }

  /// Passes a resource to `take` now and after each change, until the resource is deleted, `take` returns false or the task
  /// is cancelled. Changes that happen while `take` runs are passed on once, as the latest state.
  ///
  /// - Parameter take: returns whether to go on.
  package func follow(
    _ kind: ResourceKind, _ name: String, _ take: (Resource) async -> Bool
  ) async throws {
    let observation = ValueObservation.tracking { try Self.find(kind, name, $0) }
    for try await resource in observation.values(in: pool, bufferingPolicy: .bufferingNewest(1)) {
      guard let resource, await take(resource) else { return }
    }
  }
}
