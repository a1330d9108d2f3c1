import Files
import Glibc
import Search
import TestSupport
import Testing

@testable import Tuning

@Suite("A tuning that starts warm")
struct WarmStartTests {
  private func warm(_ kind: String, _ parents: String...) -> String {
    let names = parents.map { #"{"HyperParameterTuningJobName": "\#($0)"}"# }.joined(separator: ",")
    return #""WarmStartConfig": {"WarmStartType": "\#(kind)", "ParentHyperParameterTuningJobs": [\#(names)]}"#
  }

  /// A finished tuning in `<folder>/<name>`.
  @discardableResult
  private func finish(_ asked: TuningRequest, in folder: String, _ runner: StubRunner = StubRunner())
    async throws -> TuningRecord
  {
    let place = try TuningFolder("\(folder)/\(asked.name)", asked, page: { "\($0.status): \($0.jobs.count)" })
    return try await tuned(asked, runner, keep: { try place.keep($0) })
  }

  @Test(
    "knows its parents' jobs: those of an identical one are not repeated",
    arguments: ["IdenticalDataAndAlgorithm", "TransferLearning"])
  func known(_ kind: String) async throws {
    try await withScratchFolder { folder in
      let parent = try await finish(try request("Bayesian", jobs: 5, name: "parent"), in: folder)
      let asked = try request("Bayesian", jobs: 4, name: "child", more: warm(kind, "parent"))
      var record = TuningRecord(asked.json)
      record.warmStart = try asked.loadParents(beside: folder + "/child")
      #expect(
        record.warmStart.map(\.jobs.count) == [5]
          && record.warmStart[0].isIdentical == (kind != "TransferLearning"))
      let child = try await tuned(asked, from: record)
      #expect(child.jobs.count == 4)
      if kind != "TransferLearning" {
        #expect(Set(child.jobs.map(\.tuned)).isDisjoint(with: parent.jobs.map(\.tuned)))
      }
      // With nine jobs known the last ones are better than a first design.
      let overall = asked.description(of: child)["OverallBestTrainingJob"]
      #expect((overall != nil) == (kind != "TransferLearning"))
      let byPath = try request(name: "other", more: warm(kind, folder + "/parent"))
      #expect(try byPath.loadParents(beside: "/elsewhere/other")[0].jobs.count == 5)
    }
  }

  @Test("refuses a parent that is not there, not over, or of another kind")
  func refused() async throws {
    try await withScratchFolder { folder in
      try await finish(try request(jobs: 2, name: "parent"), in: folder)
      var open = TuningRecord(try request(name: "open").json)
      open.jobs = []
      let place = try TuningFolder(folder + "/open", try request(name: "open"), page: nil)
      try place.keep(open)
      func said(_ asked: () throws -> TuningRequest) -> String {
        do {
          _ = try asked().loadParents(beside: folder + "/child")
          return ""
        } catch { return "\(error)" }
      }
      let identical = { (name: String) in warm("IdenticalDataAndAlgorithm", name) }
      #expect(said { try request(more: identical("none")) }.contains("was not found"))
      #expect(said { try request(more: identical("open")) }.contains("is not finished"))
      #expect(
        said { try request(metric: "train:accuracy", more: identical("parent")) }.contains(
          "they must be the same"))
      #expect(
        said { try request(statics: "\"epochs\": \"2\"", more: identical("parent")) }.contains(
          "Not in both: epochs"))
      let integers =
        #""IntegerParameterRanges": [{"Name": "learning_rate", "MinValue": "0", "MaxValue": "1"}]"#
      #expect(
        said { try request(jobs: 1, ranges: integers, more: identical("parent")) }.contains(
          "its type must not change"))
      let data =
        #""InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "x"}}}]"#
      #expect(
        said { try request(definition: data, more: identical("parent")) }.contains("has different input data")
      )
      #expect(said { try request(definition: data, more: warm("TransferLearning", "parent")) } == "")
      #expect(
        said { try request(more: warm("Lukewarm", "parent")) }.contains(
          "IdenticalDataAndAlgorithm, TransferLearning"))
      #expect(said { try request(more: warm("TransferLearning")) }.contains("1 to 5 are expected"))
    }
  }

  @Test("a tuning's folder is one process's, holds whole files, and refuses another request")
  func folder() async throws {
    try await withScratchFolder { folder in
      let asked = try request(jobs: 3, name: "parent")
      let record = try await finish(asked, in: folder)
      let place = try TuningFolder(folder + "/parent", asked, page: nil)
      let error = #expect(throws: FileError.self) { try TuningFolder(folder + "/parent", asked, page: nil) }
      #expect(error?.description.contains("it is in use by process \(getpid()), since") == true)
      // The lock is there for as long as its holder lives.
      let names = withExtendedLifetime(place) { scratchNames(folder + "/parent") }
      #expect(names == [".imrec.lock", "state.json", "tuning.html", "tuning.json"])
      #expect(readScratchFile(folder + "/parent/tuning.html") == "Completed: 3")
      #expect(try place.record() == record)
      let more = try request(jobs: 5, name: "parent")
      let grown = try await finish(more, in: folder + "/copy")
      #expect(Array(grown.jobs.map(\.name).prefix(3)) == record.jobs.map(\.name), "with more jobs it goes on")
      let other = try TuningFolder(folder + "/other", try request("Bayesian", name: "parent"), page: nil)
      writeScratchFile(folder + "/other/state.json", readScratchBytes(folder + "/parent/state.json") ?? [])
      #expect(throws: TuningError.self) { try other.record() }
      writeScratchFile(folder + "/other/state.json", "{\"jobs\": 3}".utf8)
      #expect(
        throws: TuningError(
          "\(folder)/other/state.json: this is not the state of a tuning: byte 0: the key \"request\" is missing"
        )
      ) { try other.record() }
    }
  }
}
