import Encodings
import Files
import GRDB
import Glibc

/// All that the control plane knows, in one SQLite file: it stands when the program is killed at any moment.
///
/// Writes wait for each other, reads for nobody. A file that another program keeps locked, or a full disk, makes an operation
/// fail with `.unavailable`, and clients ask again; what jobs have reached waits until it can be written (`record`).
public final class Store: Sendable {
  let pool: DatabasePool
  let now: @Sendable () -> Double
  private let patience: LockPatience
  /// Between two attempts to record what happened.
  private static let recordPause = Duration.milliseconds(500)

  /// - Parameters:
  ///   - path: made where it is not there.
  ///   - lockTime: how long operations wait for another program's lock.
  ///   - now: seconds since 1970.
  /// - Throws: where the file is no database, or cannot be written.
  public init(
    _ path: String, lockTime: Duration = .seconds(5), now: @escaping @Sendable () -> Double
  ) throws {
    let patience = LockPatience(longest: lockTime)
    self.patience = patience
    var configuration = Configuration()
    configuration.busyMode = .callback { _ in patience.waits() }
    configuration.label = "control-plane"
    pool = try Self.open(path, configuration)
    self.now = now
    try Self.migrator.migrate(pool)
  }

  /// - Throws: where the file cannot be opened, `FileError` with the reason, which SQLite does not tell.
  private static func open(_ path: String, _ configuration: Configuration) throws -> DatabasePool {
    do {
      return try DatabasePool(path: path, configuration: configuration)
    } catch let error as DatabaseError where error.resultCode == .SQLITE_CANTOPEN {
      throw FileError(.system(call: "open", code: isOutOfFiles() ? EMFILE : EACCES), path: path)
    }
  }

  /// Whether the process may not open as many files as the database and its journals are.
  private static func isOutOfFiles() -> Bool {
    let files = (0..<8).map { _ in unsafe Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) }
    let code = errno
    for file in files where file >= 0 { close(file) }
    return files.contains { $0 < 0 } && (code == EMFILE || code == ENFILE)
  }

  private static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("resources") { database in
      for kind in ResourceKind.allCases { try create(kind.table, database) }
      try database.execute(
        sql: """
          CREATE TABLE tag (arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (arn, key))
          WITHOUT ROWID
          """)
    }
    return migrator
  }

  /// Each index holds all that a list filters by, so that only the rows of its page are read from the table.
  private static func create(_ table: String, _ database: Database) throws {
    let filtered = "status, created, modified, parent"
    try database.execute(
      sql: """
        CREATE TABLE \(table) (
          id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, arn TEXT NOT NULL, created REAL NOT NULL,
          modified REAL NOT NULL, status TEXT NOT NULL, parent TEXT, objective REAL, request TEXT NOT NULL,
          state TEXT NOT NULL);
        CREATE INDEX \(table)_by_name ON \(table) (name, id, \(filtered));
        CREATE INDEX \(table)_by_time ON \(table) (created, id, name, status, modified, parent);
        CREATE INDEX \(table)_by_status ON \(table) (status, created, id, name, modified, parent);
        CREATE INDEX \(table)_by_parent ON \(table) (parent, created, id, name, status, modified, objective)
          WHERE parent IS NOT NULL;
        """)
  }

  // MARK: One resource

  /// - Throws: `.inUse` with the message where the name is taken.
  func insert(
    _ kind: ResourceKind, _ resource: Resource, tags: [String: String] = [:], taken: ControlPlaneError
  ) async throws(ControlPlaneError) {
    try await write { database in
      guard try Self.find(kind, resource.name, database) == nil else { throw taken }
      try database.execute(
        sql: """
          INSERT INTO \(kind.table) (name, arn, created, modified, status, parent, objective, request, state)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          resource.name, resource.arn, resource.created, resource.modified, resource.status, resource.parent,
          resource.objective, resource.request.encoded, resource.state.encoded,
        ])
      try Self.add(tags, to: resource.arn, database)
    }
  }

  package func find(_ kind: ResourceKind, _ name: String) async throws(ControlPlaneError) -> Resource? {
    try await read { try Self.find(kind, name, $0) }
  }

  /// Changes a resource as one step; nothing is written where the body throws or the resource is as before.
  ///
  /// - Returns: the resource as it is then; nil where there is none.
  @discardableResult
  func update(
    _ kind: ResourceKind, _ name: String, _ body: @escaping @Sendable (inout Resource) throws -> Void
  ) async throws(ControlPlaneError) -> Resource? {
    let now = now()
    return try await write { database in
      guard var resource = try Self.find(kind, name, database) else { return nil }
      try body(&resource)
      resource.modified = max(now, resource.modified)
      try database.execute(
        sql:
          "UPDATE \(kind.table) SET modified = ?, status = ?, objective = ?, request = ?, state = ? WHERE name = ?",
        arguments: [
          resource.modified, resource.status, resource.objective, resource.request.encoded,
          resource.state.encoded,
          name,
        ])
      return resource
    }
  }

  /// - Parameter check: throws where it may not go.
  /// - Returns: what it was; nil where there was none.
  @discardableResult
  func delete(
    _ kind: ResourceKind, _ name: String, check: @escaping @Sendable (Resource) throws -> Void = { _ in }
  ) async throws(ControlPlaneError) -> Resource? {
    try await write { database in
      guard let resource = try Self.find(kind, name, database) else { return nil }
      try check(resource)
      try database.execute(sql: "DELETE FROM \(kind.table) WHERE name = ?", arguments: [name])
      try database.execute(sql: "DELETE FROM tag WHERE arn = ?", arguments: [resource.arn])
      return resource
    }
  }

  /// How many there are of each status.
  package func counts(
    _ kind: ResourceKind, parent: String? = nil
  ) async throws(ControlPlaneError) -> [String: Int] {
    try await read { database in
      let rows = try Row.fetchAll(
        database,
        sql: "SELECT status, COUNT(*) AS count FROM \(kind.table) \(parent == nil ? "" : "WHERE parent = ?") "
          + "GROUP BY status", arguments: parent.map { [$0] } ?? [])
      return Dictionary(rows.map { ($0["status"] as String, $0["count"] as Int) }) { $1 }
    }
  }

  func count(_ kind: ResourceKind, statuses: [String]) async throws(ControlPlaneError) -> Int {
    try await read { database in
      let marks = statuses.map { _ in "?" }.joined(separator: ", ")
      return try Int.fetchOne(
        database, sql: "SELECT COUNT(*) FROM \(kind.table) WHERE status IN (\(marks))",
        arguments: StatementArguments(statuses)) ?? 0
    }
  }

  /// The names of those that have one of the statuses, oldest first.
  func names(_ kind: ResourceKind, statuses: [String]) async throws(ControlPlaneError) -> [String] {
    try await read { database in
      let marks = statuses.map { _ in "?" }.joined(separator: ", ")
      return try String.fetchAll(
        database, sql: "SELECT name FROM \(kind.table) WHERE status IN (\(marks)) ORDER BY created, id",
        arguments: StatementArguments(statuses))
    }
  }

  static func find(_ kind: ResourceKind, _ name: String, _ database: Database) throws -> Resource? {
    try Row.fetchOne(database, sql: "SELECT * FROM \(kind.table) WHERE name = ?", arguments: [name])
      .map { try Resource($0, hasRequest: true) }
  }

  // MARK: Tags

  func tags(of arn: String) async throws(ControlPlaneError) -> [(key: String, value: String)] {
    try await read { database in
      try Row.fetchAll(
        database, sql: "SELECT key, value FROM tag WHERE arn = ? ORDER BY key", arguments: [arn]
      )
      .map { ($0["key"], $0["value"]) }
    }
  }

  /// - Throws: `.limitExceeded` where it would have more than `most`.
  func addTags(_ tags: [String: String], to arn: String, most: Int) async throws(ControlPlaneError) {
    try await write { database in
      try Self.add(tags, to: arn, database)
      let count =
        try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM tag WHERE arn = ?", arguments: [arn]) ?? 0
      guard count <= most else {
        throw ControlPlaneError(.limitExceeded, "\(arn) would have \(count) tags; \(most) are allowed")
      }
    }
  }

  func deleteTags(_ keys: [String], of arn: String) async throws(ControlPlaneError) {
    try await write { database in
      for key in keys {
        try database.execute(sql: "DELETE FROM tag WHERE arn = ? AND key = ?", arguments: [arn, key])
      }
    }
  }

  private static func add(_ tags: [String: String], to arn: String, _ database: Database) throws {
    for (key, value) in tags {
      try database.execute(
        sql: "INSERT OR REPLACE INTO tag (arn, key, value) VALUES (?, ?, ?)", arguments: [arn, key, value])
    }
  }

  // MARK: What happened

  /// Changes a resource as `update` does, and tries again while another program keeps the store locked or the disk is full:
  /// what has happened has happened.
  ///
  /// - Throws: `.unavailable` only where the task is cancelled.
  @discardableResult
  func record(
    _ kind: ResourceKind, _ name: String, _ body: @escaping @Sendable (inout Resource) throws -> Void
  ) async throws(ControlPlaneError) -> Resource? {
    try await patiently { () throws(ControlPlaneError) in try await update(kind, name, body) }
  }

  /// Does something again and again until it fails by more than a lock or a full disk, or the task is cancelled. Neither tells
  /// when it is over.
  func patiently<Value: Sendable>(
    _ body: () async throws(ControlPlaneError) -> Value
  ) async throws(ControlPlaneError) -> Value {
    while true {
      let outcome = await Self.outcome(of: body)
      guard case .failure(let error) = outcome, error.code == .unavailable, !Task.isCancelled else {
        return try outcome.get()
      }
      try? await Task.sleep(for: Self.recordPause)
    }
  }

  private static func outcome<Value: Sendable>(
    of body: () async throws(ControlPlaneError) -> Value
  ) async -> Result<Value, ControlPlaneError> {
    do throws(ControlPlaneError) { return .success(try await body()) } catch { return .failure(error) }
  }

  // MARK: Access

  func read<Value: Sendable>(
    _ body: @escaping @Sendable (Database) throws -> Value
  ) async throws(ControlPlaneError) -> Value {
    do { return try await pool.read(body) } catch { throw Self.refusal(error) }
  }

  func write<Value: Sendable>(
    _ body: @escaping @Sendable (Database) throws -> Value
  ) async throws(ControlPlaneError) -> Value {
    do {
      return try await pool.write { [patience] database in
        patience.end()
        return try body(database)
      }
    } catch {
      throw Self.refusal(error)
    }
  }

  private static func refusal(_ error: any Error) -> ControlPlaneError {
    switch error {
    case let error as ControlPlaneError: return error
    case let error as DatabaseError:
      switch error.resultCode {
      case .SQLITE_BUSY, .SQLITE_LOCKED:
        return ControlPlaneError(.unavailable, "another program keeps the store locked; try again")
      case .SQLITE_CANTOPEN where isOutOfFiles():
        return ControlPlaneError(
          .unavailable, "the server may open no more files (ulimit -n); try again when it has less to do")
      case .SQLITE_FULL: return ControlPlaneError(.unavailable, "the disk under the store is full")
      default:
        return ControlPlaneError(.internalFailure, "the store: \(error.message ?? "\(error.resultCode)")")
      }
    case is CancellationError: return ControlPlaneError(.unavailable, "the service is ending")
    default: return ControlPlaneError(.internalFailure, "the store: \(error)")
    }
  }
}
