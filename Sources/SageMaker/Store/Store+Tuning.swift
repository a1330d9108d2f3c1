import Encodings
import GRDB

extension Store {
  /// How the training jobs of a tuning job stand: the members of its TrainingJobStatusCounters and
  /// ObjectiveStatusCounters.
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

  /// The best of the completed ones; the first of equals.
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
