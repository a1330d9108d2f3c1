import Foundation
import Scoring
import TestSupport
import Testing

@Suite("The JSON of a score")
struct SchemaTests {
  @Test("an absent estimate is written as null, and null or a missing key is read as absent")
  func absent() throws {
    let averages = try JSONDecoder().decode(
      Averages.self, from: Data(#"{"precision":0.5,"recall":0.25,"f1":0.125}"#.utf8))
    #expect(averages.averagePrecision == nil)
    let text = String(decoding: try JSONEncoder().encode(averages), as: UTF8.self)
    #expect(text.contains(#""average_precision":null"#))
  }

  @Test("predictions out of order, and negative ranks, are those of a file that was modified")
  func modifiedPredictions() throws {
    func table(_ paths: String, rank: Int = 1) throws -> PredictionTable {
      let columns =
        #""truth":[0,1],"predicted":[0,1],"rank":[\#(rank),null],"confidence":[0.5,null],"truth_probability":[0.5,null]"#
      return try JSONDecoder().decode(
        PredictionTable.self, from: Data("{\"path\":[\(paths)],\(columns)}".utf8))
    }
    #expect(try table(#""a","b""#).count == 2)
    #expect(try table(#""a","a""#).count == 2)
    for paths in [#""b","a""#, #""\u00e9","e\u0301""#] {
      #expect(throws: DecodingError.self, "\(paths)") { try table(paths) }
    }
    #expect(throws: DecodingError.self) { try table(#""a","b""#, rank: -1) }
  }

  @Test("is what JSONEncoder makes of it, too")
  func equalsFoundation() throws {
    let score = try full()
    let ours = try JSONDecoder().decode(JSONValue.self, from: Data(text(of: score)))
    let theirs = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(score))
    #expect(ours == theirs)
  }

  @Test("has every key in the README")
  func documented() throws {
    let readme = try String(
      contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Sources/Scoring/README.md"), encoding: .utf8)
    let score = try full()
    var bytes: [UInt8] = []
    try Comparison(score, full(seed: 2)).writeJSON { bytes += $0 }
    let keys = try keys(of: JSONValue(encoding: score))
      .union(keys(of: JSONDecoder().decode(JSONValue.self, from: Data(bytes))))
    #expect(keys.count > 100)
    let missing = keys.filter { !readme.contains("`\($0)`") }
    #expect(missing.isEmpty, "\(missing.sorted())")
  }

  @Test("keeps its first keys, which scripts depend on")
  func contract() throws {
    let score = try JSONValue(encoding: full())
    for path in [
      ["images"], ["scored"], ["top1", "value"], ["top1", "low"], ["top5", "high"], ["macro", "precision"],
      ["macro", "recall"], ["macro", "f1"], ["weighted", "f1"], ["balanced_accuracy"], ["kappa"], ["mcc"],
      ["log_loss"], ["brier"], ["ece"],
    ] {
      guard case .number = path.reduce(score, { $0[$1] }) else {
        Issue.record("\(path) is no number")
        continue
      }
    }
    let first = try #require(score["classes"].elements.first)
    #expect(first["label"] == .number(0) && first["name"] == .string("class 0"))
    for key in ["support", "predicted", "precision", "f1", "average_precision"] {
      guard case .number = first[key] else {
        Issue.record("\(key) is no number")
        continue
      }
    }
    #expect(first["recall", "value"] != .null)
    #expect(score["confusion"].elements.allSatisfy { $0.elements.count == 3 })
    for key in ["a", "b", "count", "share"] { #expect(score["pairs"].elements.first?[key] != .null) }
    #expect(score["missing"] == .array([.string("m")]))
    #expect(score["unexpected"] == .array([.string("u")]))
    #expect(score["invalid"] == .array([.object(["path": .string("i"), "reason": .string("r")])]))
  }

  /// A score in which every list has an element.
  private func full(seed: UInt64 = 1) throws -> Score {
    var samples = Samples(seed: seed, classes: 12, images: 400)
    samples.near = 60
    var tally = Tally(classes: samples.names)
    for (image, row) in samples.rows.enumerated() {
      try tally.add(
        row.path, truth: row.truth, row: row.probabilities, attributes: ["width": .number(Double(image))])
    }
    tally.addMissing("m")
    tally.addInvalid("i", reason: "r")
    tally.addUnexpected("u")
    var score = tally.score()
    score.details = [Detail("n", "v")]
    score.gates = score.evaluate(try Gate.parse("top1=0.5", classes: []))
    score.omitted.append(Omission(metric: "m", reason: "r"))
    return score
  }

  private func keys(of value: JSONValue) -> Set<String> {
    switch value {
    case .object(let members): Set(members.keys).union(members.values.flatMap { keys(of: $0) })
    case .array(let values): Set(values.prefix(20).flatMap { keys(of: $0) })
    default: []
    }
  }
}
