import Encodings
import GRDB

/// What a List operation asks for.
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
  /// Nil: this is the last one.
  var token: String?
}

extension Store {
  /// One page of a list, without the requests.
  ///
  /// A page begins after the last row of the one before, wherever that now is: what is made or deleted meanwhile neither
  /// repeats nor hides another row.
  ///
  /// - Throws: `.validation` for a token that is not of this query.
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
  /// The columns it is sorted by; each list has one order, so that a page knows where it begins.
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
    // SageMaker does not list those without one.
    if key == .objective { conditions.append("objective IS NOT NULL") }
    if let place {
      conditions.append(
        "(\(columns.joined(separator: ", "))) \(isAscending ? ">" : "<") "
          + "(\(columns.map { _ in "?" }.joined(separator: ", ")))")
      arguments += place.map { $0.text ?? $0.number }
    }
    let order = columns.map { "\($0) \(isAscending ? "ASC" : "DESC")" }.joined(separator: ", ")
    let found = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
    // The rows are found in an index alone, and only then read.
    let sql = """
      SELECT id, name, arn, created, modified, status, parent, objective, state FROM \(table) WHERE id IN (
        SELECT id FROM \(table) \(found) ORDER BY \(order) LIMIT \(most + 1))
      ORDER BY \(order)
      """
    return (sql, StatementArguments(arguments))
  }

  /// Where a page ended, and what it was a page of: hexadecimal, as it means nothing to its keeper.
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

  fileprivate func place(_ token: String) throws(ControlPlaneError) -> [JSON] {
    let digits = Array(token.utf8)
    let bytes = stride(from: 0, to: digits.count - digits.count % 2, by: 2).compactMap {
      UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16)
    }
    guard bytes.count * 2 == digits.count, let content = try? JSON(parsing: bytes), let parts = content.list,
      parts.count == columns.count + 1, parts[0].text == fingerprint
    else {
      throw .invalid("Invalid NextToken: it is not of this list with these filters and this order.")
    }
    return Array(parts.dropFirst())
  }

  /// The same for the same list, whatever the size of its pages.
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
    // FNV-1a: a token made by accident is to be seen, not one made by design.
    let hash = text.bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    return String(hash, radix: 36)
  }
}
