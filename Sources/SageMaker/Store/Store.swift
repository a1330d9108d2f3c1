import Encodings
import Files
import GRDB
import Glibc
import Synchronization

/// The control plane's state, in one SQLite database. Every change is a transaction: a crash at any moment loses nothing
/// that was committed.
///
/// Writes are serialized; reads wait for nothing. While another process holds the lock on the database, or the disk is full,
/// an operation fails with `.unavailable` and its client retries; the progress of jobs is written with retries (`record`).
public final class Store: Sendable {
  let pool: DatabasePool
  let now: @Sendable () -> Double
  private let patience: LockPatience
  /// The pause between two attempts of `patiently`.
  private static let recordPause = Duration.milliseconds(500)

  /// - Parameters:
  ///   - path: the database file; it is created if it does not exist.
  ///   - lockTime: how long an operation waits for another process's lock.
  ///   - now: returns the current time in seconds since 1970.
  /// - Throws: if the file is not a database or cannot be written.
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

  /// - Throws: `FileError` if the file cannot be opened, with the reason, which SQLite's own error does not give.
  private static func open(_ path: String, _ configuration: Configuration) throws -> DatabasePool {
    do {
      return try DatabasePool(path: path, configuration: configuration)
    } catch let error as DatabaseError where error.resultCode == .SQLITE_CANTOPEN {
      throw FileError(.system(call: "open", code: isOutOfFiles() ? EMFILE : EACCES), path: path)
    }
  }

  /// Whether the process has too few file descriptors left for the database and its journals.
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

  /// Each index covers all columns that a list filters by, so that only the rows of a page are read from the table.
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

  /// Inserts a new resource and its tags in one transaction.
  ///
  /// - Throws: `taken` if the name is already in use.
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

  /// The resource with a name, including its request; nil if there is none.
  package func find(_ kind: ResourceKind, _ name: String) async throws(ControlPlaneError) -> Resource? {
    try await read { try Self.find(kind, name, $0) }
  }

  /// Changes a resource in one transaction; nothing is written if the body throws.
  ///
  /// - Returns: the changed resource; nil if there is none.
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

  /// Deletes a resource and its tags in one transaction.
  ///
  /// - Parameter check: throws if the resource must not be deleted.
  /// - Returns: the deleted resource; nil if there was none.
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

  /// The number of resources with each status.
  ///
  /// - Parameter parent: counts only the training jobs of this tuning job; nil counts all.
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

  /// The number of resources that have one of the statuses.
  func count(_ kind: ResourceKind, statuses: [String]) async throws(ControlPlaneError) -> Int {
    try await read { database in
      let marks = statuses.map { _ in "?" }.joined(separator: ", ")
      return try Int.fetchOne(
        database, sql: "SELECT COUNT(*) FROM \(kind.table) WHERE status IN (\(marks))",
        arguments: StatementArguments(statuses)) ?? 0
    }
  }

  /// The names of the resources that have one of the statuses, oldest first.
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

  /// The tags of a resource, sorted by key.
  func tags(of arn: String) async throws(ControlPlaneError) -> [(key: String, value: String)] {
    try await read { database in
      try Row.fetchAll(
        database, sql: "SELECT key, value FROM tag WHERE arn = ? ORDER BY key", arguments: [arn]
      )
      .map { ($0["key"], $0["value"]) }
    }
  }

  /// Adds tags in one transaction; a tag with the same key is replaced.
  ///
  /// - Throws: `.limitExceeded` if the resource would have more than `most` tags.
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

  // MARK: Recording progress

  /// Changes a resource as `update` does, and retries while another process holds the lock on the database or the disk is
  /// full: progress that a job has made must not be lost.
  ///
  /// - Throws: `.unavailable` only if the task is cancelled.
  @discardableResult
  func record(
    _ kind: ResourceKind, _ name: String, _ body: @escaping @Sendable (inout Resource) throws -> Void
  ) async throws(ControlPlaneError) -> Resource? {
    try await patiently { () throws(ControlPlaneError) in try await update(kind, name, body) }
  }

  /// Runs an operation, and retries it after a pause while it fails with `.unavailable` and the task is not cancelled. It polls
  /// because nothing signals that a lock was released or that the disk has room again.
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

  /// Runs a read; it does not wait for writes.
  func read<Value: Sendable>(
    _ body: @escaping @Sendable (Database) throws -> Value
  ) async throws(ControlPlaneError) -> Value {
    do { return try await pool.read(body) } catch { throw Self.refusal(error) }
  }

  /// Runs a write transaction; it is rolled back if the body throws.
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
        return ControlPlaneError(.unavailable, "another process holds the lock on the database; try again")
      case .SQLITE_CANTOPEN where isOutOfFiles():
        return ControlPlaneError(
          .unavailable, "the server cannot open more files (ulimit -n); try again when it is less busy")
      case .SQLITE_FULL: return ControlPlaneError(.unavailable, "the disk that holds the database is full")
      default:
        return ControlPlaneError(
          .internalFailure, "database error: \(error.message ?? "\(error.resultCode)")")
      }
    case is CancellationError: return ControlPlaneError(.unavailable, "the service is shutting down")
    default: return ControlPlaneError(.internalFailure, "database error: \(error)")
    }
  }
}

extension Store {
  /// TrainingJobStatusCounters and ObjectiveStatusCounters of a tuning job.
  func tuningCounters(of name: String) async throws(ControlPlaneError) -> (jobs: JSON, objectives: JSON) {
    let rows = try await read { database in
      try Row.fetchAll(
        database,
        sql: """
          SELECT status, COUNT(*) AS count, COUNT(objective) AS rated FROM training_job WHERE parent = ?
          GROUP BY status
          """, arguments: [name]
      ).map { (status: $0["status"] as String, count: $0["count"] as Int, rated: $0["rated"] as Int) }
    }
    func count(_ statuses: String...) -> Int {
      rows.filter { statuses.contains($0.status) }.reduce(0) { $0 + $1.count }
    }
    let pending = count("InProgress", "Stopping")
    let rated = rows.filter { !["InProgress", "Stopping"].contains($0.status) }.reduce(0) { $0 + $1.rated }
    let all = rows.reduce(0) { $0 + $1.count }
    return (
      [
        "Completed": .integer(count("Completed")), "InProgress": .integer(pending), "RetryableError": 0,
        "NonRetryableError": .integer(count("Failed")), "Stopped": .integer(count("Stopped")),
      ],
      [
        "Succeeded": .integer(rated), "Pending": .integer(pending), "Failed": .integer(all - pending - rated),
      ]
    )
  }

  /// The completed training job with the best objective; the oldest one on a tie; nil if none has an objective.
  func bestTrainingJob(of name: String, isMaximized: Bool) async throws(ControlPlaneError) -> Resource? {
    try await read { database in
      try Row.fetchOne(
        database,
        sql: """
          SELECT * FROM training_job WHERE parent = ? AND status = 'Completed' AND objective IS NOT NULL
          ORDER BY objective \(isMaximized ? "DESC" : "ASC"), created, id LIMIT 1
          """, arguments: [name]
      ).map { try Resource($0, hasRequest: true) }
    }
  }
}

/// Limits how long writes wait for a database lock that another process holds. All queued writes share one limit.
///
/// Writes are serialized. If each one waited up to the limit for the same lock, the last would be answered long after its
/// client had timed out. So once a write has timed out, the writes queued behind it fail without waiting.
final class LockPatience: Sendable {
  private struct Wait {
    var begin: ContinuousClock.Instant
    var last: ContinuousClock.Instant
  }
  private let wait = Mutex<Wait?>(nil)
  private let longest: Duration
  /// If no write has met a lock for this long, the next lock counts as a new one.
  private static let memory = Duration.seconds(1)
  private static let pause: UInt32 = 5_000  // microseconds

  init(longest: Duration) { self.longest = longest }

  /// Sleeps for one retry interval, unless the limit is reached.
  ///
  /// - Returns: whether to retry.
  func waits() -> Bool {
    guard goesOn(at: .now) else { return false }
    usleep(Self.pause)
    return true
  }

  /// Whether the wait for the current lock is still within the limit.
  func goesOn(at now: ContinuousClock.Instant) -> Bool {
    wait.withLock { wait in
      var known = wait ?? Wait(begin: now, last: now)
      if now - known.last > Self.memory { known.begin = now }
      known.last = now
      wait = known
      return now - known.begin < longest
    }
  }

  /// Ends the wait: a write has acquired the lock.
  func end() { wait.withLock { $0 = nil } }
}
