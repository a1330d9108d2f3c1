import GRDB

/// Resources of several kinds, newest first.
package struct NewestPage: Sendable {
  package var rows: [(kind: ResourceKind, resource: Resource)] = []
  /// Where the next page begins; nil: this is the last one.
  package var next: String?
}

/// A resource's place among those of all kinds.
private struct NewestPlace: Comparable {
  let created: Double
  /// Of its kind, for those made at once.
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

  /// The rows of a kind that come after this place.
  func condition(_ rank: Int) -> (sql: String, arguments: StatementArguments) {
    if rank == self.rank { return ("WHERE (created, id) < (?, ?)", [created, id]) }
    return (rank < self.rank ? "WHERE created <= ?" : "WHERE created < ?", [created])
  }
}

extension Store {
  /// One page of the resources of some kinds, with their requests.
  ///
  /// - Throws: `.validation` for a token that no page has given.
  /// - Complexity: O(kinds · most) rows are read, each found in an index.
  package func newest(
    _ kinds: [ResourceKind], most: Int, after token: String? = nil
  ) async throws(ControlPlaneError) -> NewestPage {
    let place = token.flatMap { NewestPlace(token: $0) }
    guard token == nil || place != nil else { throw .invalid("No page of this list begins there.") }
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

  /// The training jobs of a tuning job, oldest first.
  package func trainingJobs(of tuning: String, most: Int) async throws(ControlPlaneError) -> [Resource] {
    try await read { database in
      try Row.fetchAll(
        database, sql: "SELECT * FROM training_job WHERE parent = ? ORDER BY created, id LIMIT ?",
        arguments: [tuning, most]
      ).map { try Resource($0, hasRequest: true) }
    }
  }

  /// Hands over a resource as it is, and whenever it has changed, until it is gone or the task is cancelled. Changes that
  /// come while `take` works are one.
  ///
  /// - Parameter take: returns whether it wants more.
  package func follow(
    _ kind: ResourceKind, _ name: String, _ take: (Resource) async -> Bool
  ) async throws {
    let observation = ValueObservation.tracking { try Self.find(kind, name, $0) }
    for try await resource in observation.values(in: pool, bufferingPolicy: .bufferingNewest(1)) {
      guard let resource, await take(resource) else { return }
    }
  }
}
