import Encodings
import Foundation
import GRDB
import TestSupport
import Testing

@testable import SageMaker

@Suite("The store")
struct StoreTests {
  private func fill(_ desk: Desk, _ count: Int) async throws {
    for index in 0..<count {
      let status = index % 3 == 0 ? "Completed" : "Failed"
      let name = "job-\(index < 10 ? "0" : "")\(index)"
      try await desk.api.store.insert(
        .trainingJob,
        Resource(
          name: name, arn: Caller().arn(.trainingJob, name), created: 100 + Double(index / 2), status: status,
          request: trainingJob(name), state: ["SecondaryStatus": .string(status)]),
        taken: .invalid("taken"))
    }
  }

  @Test(
    "pages together are the list, each once, in every order",
    arguments: ["Name", "CreationTime", "Status"], ["Ascending", "Descending"])
  func pages(_ key: String, _ order: String) async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      try await fill(desk, 25)
      var names: [String] = []
      var token: JSON?
      repeat {
        var request: JSON = ["SortBy": .string(key), "SortOrder": .string(order), "MaxResults": 4]
        request["NextToken"] = token
        let page = try await desk.ask("ListTrainingJobs", request)
        names += (page["TrainingJobSummaries"]?.list ?? []).compactMap { $0["TrainingJobName"]?.text }
        token = page["NextToken"]
      } while token != nil
      let all = try await desk.ask(
        "ListTrainingJobs", ["SortBy": .string(key), "SortOrder": .string(order), "MaxResults": 100])
      #expect(names == (all["TrainingJobSummaries"]?.list ?? []).compactMap { $0["TrainingJobName"]?.text })
      #expect(Set(names).count == 25)
      if key == "Name" {
        #expect(names == (order == "Ascending" ? names.sorted() : names.sorted().reversed()))
      }
    }
  }

  @Test("what is made or deleted between two pages neither repeats nor hides another")
  func changing() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      try await fill(desk, 6)
      let first = try await desk.ask("ListTrainingJobs", ["SortBy": "Name", "MaxResults": 3])
      try await desk.ask("DeleteTrainingJob", ["TrainingJobName": "job-02"])
      try await desk.ask("DeleteTrainingJob", ["TrainingJobName": "job-00"])
      let second = try await desk.ask(
        "ListTrainingJobs", ["SortBy": "Name", "MaxResults": 3, "NextToken": first["NextToken"] ?? ""])
      #expect(
        second["TrainingJobSummaries"]?.list?.compactMap { $0["TrainingJobName"]?.text } == [
          "job-03", "job-04", "job-05",
        ])
      #expect(second["NextToken"] == nil)
    }
  }

  @Test("a token goes with its own list only", arguments: ["zz", "00", "5b5d"])
  func foreignTokens(_ token: String) async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      try await fill(desk, 6)
      #expect(await desk.refusal("ListTrainingJobs", ["NextToken": .string(token)])?.code == .validation)
      let first = try await desk.ask("ListTrainingJobs", ["MaxResults": 3])
      let other = await desk.refusal(
        "ListTrainingJobs", ["NextToken": first["NextToken"] ?? "", "StatusEquals": "Completed"])
      #expect(other?.message.contains("NextToken") ?? false)
    }
  }

  @Test("filters choose by name, status and time")
  func filters() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      try await fill(desk, 20)
      func names(_ request: JSON) async throws -> [String] {
        let list = try await desk.ask(
          "ListTrainingJobs", request.merging(["MaxResults": 100, "SortBy": "Name"]))
        return list["TrainingJobSummaries"]?.list?.compactMap { $0["TrainingJobName"]?.text } ?? []
      }
      #expect(try await names(["NameContains": "-1"]).count == 10)
      #expect(try await names(["StatusEquals": "Completed"]).count == 7)
      #expect(
        try await names(["CreationTimeAfter": 100, "CreationTimeBefore": 103]) == [
          "job-02", "job-03", "job-04", "job-05",
        ])
      #expect(try await names(["LastModifiedTimeAfter": 108]) == ["job-18", "job-19"])
      #expect(
        try await names(["LastModifiedTimeBefore": .number(100.5), "StatusEquals": "Failed"]) == ["job-01"])
    }
  }

  @Test("lists are found in an index alone", arguments: ListQuery.Key.allForTests, [nil, "Failed"])
  func plans(_ key: ListQuery.Key, _ status: String?) async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder)
      var query = ListQuery()
      query.key = key
      query.status = status
      query.nameContains = "a"
      query.parent = key == .objective ? "t" : nil
      let (sql, arguments) = query.statement("training_job", after: nil)
      let plan = try await desk.api.store.read { database in
        try Row.fetchAll(database, sql: "EXPLAIN QUERY PLAN " + sql, arguments: arguments).map {
          $0["detail"] as String
        }
      }
      #expect(plan.contains { $0.contains("COVERING INDEX") }, "\(plan)")
      #expect(
        !plan.contains { $0.hasPrefix("SCAN training_job") && !$0.contains("COVERING INDEX") }, "\(plan)")
    }
  }

  @Test("a store that another program keeps locked is told as such, and the next time it goes on")
  func locked() async throws {
    try await withScratchFolder { folder in
      let desk = try Desk(folder, lockTime: .milliseconds(300))
      desk.put("train/a.rec")
      let other = try desk.otherProgram()
      try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN EXCLUSIVE") }
      let refusal = await desk.refusal("CreateTrainingJob", trainingJob("a"))
      #expect(refusal?.code == .unavailable && refusal?.statusCode == 503)
      try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
      try await desk.ask("CreateTrainingJob", trainingJob("a"))
    }
  }

  @Test("what a job reaches while the store is locked is written down when the lock is gone")
  func lockedEnd() async throws {
    try await withScratchFolder { folder in
      let script =
        "touch \(folder)/begun; while [ ! -e \(folder)/go ]; do sleep 0.05; done; touch \(folder)/done"
      let desk = try Desk(folder, script: script, lockTime: .milliseconds(20))
      desk.put("train/a.rec")
      try await desk.working { desk in
        try await desk.ask("CreateTrainingJob", trainingJob("a"))
        try await desk.waitForFile("begun")
        let other = try desk.otherProgram()
        try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN EXCLUSIVE") }
        writeScratchFile(folder + "/go", [])
        try await desk.waitForFile("done")
        // Long enough for what would give up.
        try await Task.sleep(for: .milliseconds(700))
        let during = try await desk.ask("DescribeTrainingJob", ["TrainingJobName": "a"])
        #expect(during["TrainingJobStatus"] == "InProgress")
        try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
        let job = try await desk.wait(
          "DescribeTrainingJob", ["TrainingJobName": "a"], "TrainingJobStatus", Desk.ended)
        #expect(job["TrainingJobStatus"] == "Completed", "\(job)")
      }
    }
  }

  @Test("a full disk is told as such, a job's end is written down when there is room again")
  func full() async throws {
    try await withScratchFolder { folder in
      let script =
        "touch \(folder)/begun; while [ ! -e \(folder)/go ]; do sleep 0.05; done; touch \(folder)/done"
      let desk = try Desk(folder, script: script)
      desk.put("train/a.rec")
      try await desk.working { desk in
        try await desk.ask("CreateTrainingJob", trainingJob("a"))
        try await desk.waitForFile("begun")
        // SQLite's own bound stands for that of the disk: each write of a page more fails as on a full one.
        try await desk.api.store.pool.write { try $0.execute(sql: "PRAGMA max_page_count = 1") }
        let large = String(repeating: "x", count: 1000)
        var refusal: ControlPlaneError?
        for index in 0..<1000 where refusal == nil {
          refusal = await desk.refusal(
            "CreateTrainingJob", trainingJob("b-\(index)", ["HyperParameters": ["epochs": .string(large)]]))
        }
        #expect(refusal?.code == .unavailable && refusal?.message.contains("full") ?? false)
        writeScratchFile(folder + "/go", [])
        try await desk.waitForFile("done")
        try await desk.api.store.pool.write { try $0.execute(sql: "PRAGMA max_page_count = 1000000") }
        let job = try await desk.wait(
          "DescribeTrainingJob", ["TrainingJobName": "a"], "TrainingJobStatus", Desk.ended)
        #expect(job["TrainingJobStatus"] == "Completed", "\(job)")
      }
    }
  }

  @Test("all who meet a lock wait as long as one, and a lock that was had is forgotten")
  func patience() {
    let (patience, start) = (LockPatience(longest: .seconds(5)), ContinuousClock.now)
    for tenth in 0..<50 { #expect(patience.goesOn(at: start + .milliseconds(100 * tenth))) }
    for tenth in 50..<70 { #expect(!patience.goesOn(at: start + .milliseconds(100 * tenth))) }
    // Nobody met it for a while.
    #expect(patience.goesOn(at: start + .seconds(9)))
    for tenth in 90..<140 { #expect(patience.goesOn(at: start + .milliseconds(100 * tenth))) }
    #expect(!patience.goesOn(at: start + .seconds(14)))
    patience.end()
    #expect(patience.goesOn(at: start + .milliseconds(14_100)))
  }
}

extension Desk {
  /// Another connection to the store, which may keep it locked.
  fileprivate func otherProgram() throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.allowsUnsafeTransactions = true
    return try DatabaseQueue(path: folder + "/root/imrec.sqlite", configuration: configuration)
  }

  fileprivate func waitForFile(_ name: String) async throws {
    for _ in 0..<3000 where !FileManager.default.fileExists(atPath: folder + "/" + name) {
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}

extension ListQuery.Key {
  static let allForTests: [ListQuery.Key] = [.name, .created, .status, .objective]
}
