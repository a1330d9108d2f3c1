import Foundation
import Scoring
import TestSupport
import Testing

/// The goldens are written by `tools/oracle/scores/score_metrics.py goldens Tests/ScoringTests/Goldens`.
@Suite("Equal to scikit-learn, cleanlab, statsmodels and scipy")
struct OracleTests {
  static let cases: [Golden] = (try? Golden.all()) ?? []

  @Test("every committed case is there")
  func committed() { #expect(Self.cases.count == 19) }

  @Test("every metric of every case is that of the libraries within 1e-9", arguments: cases)
  func metrics(_ golden: Golden) throws {
    let score = try golden.samples.score(ScoreOptions(draws: 10))
    let differences = golden.differences(try JSONValue(encoding: score))
    #expect(differences.isEmpty, "\(differences.prefix(10).joined(separator: "\n"))")
  }

  /// Writes a score.json beside each case.json below the folder, for `score_metrics.py check`.
  @Test(
    "scores the cases of a folder for the oracle",
    .enabled(if: ProcessInfo.processInfo.environment["IMREC_SCORE_CASES"] != nil))
  func dump() throws {
    let folder = ProcessInfo.processInfo.environment["IMREC_SCORE_CASES"] ?? ""
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
      let directory = URL(fileURLWithPath: folder).appendingPathComponent(name)
      let samples = try JSONDecoder().decode(
        Samples.self, from: Data(contentsOf: directory.appendingPathComponent("case.json")))
      try Data(text(of: samples.score())).write(to: directory.appendingPathComponent("score.json"))
    }
  }
}

/// The bytes that `writeJSON` writes.
func text(of score: Score) throws -> [UInt8] {
  var bytes: [UInt8] = []
  try score.writeJSON { bytes += $0 }
  return bytes
}
