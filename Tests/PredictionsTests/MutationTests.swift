import Encodings
import TestSupport
import Testing

@testable import Predictions

@Suite("Any bytes")
struct MutationTests {
  private static let seeds = [
    #"{"prediction": [0.5, 2.5e-1, 0.25], "path": "a/b\u00e9\n.jpg", "x": {"y": [true, null, -1.5E+3, ""]}}"#,
    #"{"SageMakerInput":{"id":7},"SageMakerOutput":{"predicted_label":"cat"}}"#, "[1,0,0]", "\"cat\"", "12",
  ].map { Array($0.utf8) }

  /// Parses as a row, and skips as a value: neither may trap, run past the end, or leave half a row behind.
  private func look(_ bytes: [UInt8]) -> (isPrediction: Bool, isValue: Bool) {
    var parser = PredictionParser(classes: try? ClassList(["cat", "dog", "cow"]), classCount: 3)
    var scanner = JSONScanner()
    var isPrediction = false
    if let content = try? parser.parse(bytes.span, &scanner) {
      isPrediction = true
      if case .probabilities(let count) = content, parser.values.count != count || count != 3 {
        Issue.record("\(bytes)")
      }
      if scanner.cursor > bytes.count { Issue.record("\(bytes)") }
    } else if !parser.values.isEmpty {
      Issue.record("a part of a row is left: \(bytes)")
    }
    var skipper = JSONScanner()
    var isValue = (try? skipper.skipValue(bytes.span)) != nil
    skipper.skipBlanks(bytes.span)
    isValue = isValue && skipper.cursor == bytes.count
    if skipper.cursor > bytes.count { Issue.record("\(bytes)") }
    return (isPrediction, isValue)
  }

  @Test("cut off anywhere, a text is never taken for whole")
  func prefixes() {
    for seed in Self.seeds where seed.count > 2 {
      for count in 0..<seed.count { #expect(!look(Array(seed[..<count])).isValue) }
      #expect(look(seed).isPrediction && look(seed).isValue)
    }
  }

  @Test("mutated, spliced and random texts never trap, and a prediction is always a JSON value")
  func mutations() {
    var random = SplitMix64(seed: 5)
    for _ in 0..<20_000 {
      var bytes = Self.seeds.randomElement(using: &random) ?? []
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let place = Int.random(in: 0...bytes.count, using: &random)
        switch random.next() % 4 {
        case 0 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1:
          bytes.insert(
            Array("{}[]\",:\\0123456789eE+-.tfnu \n".utf8).randomElement(using: &random) ?? 0, at: place)
        case 2: bytes.removeLast(bytes.count - place)
        default: bytes += Self.seeds.randomElement(using: &random)?.prefix(place) ?? []
        }
      }
      let found = look(bytes)
      if found.isPrediction {
        var parser = PredictionParser(classes: try? ClassList(["cat", "dog", "cow"]), classCount: 3)
        var (scanner, skipper) = (JSONScanner(), JSONScanner())
        _ = try? parser.parse(bytes.span, &scanner)
        if (try? skipper.skipValue(bytes.span)) == nil || skipper.cursor != scanner.cursor {
          Issue.record("\(bytes)")
        }
      }
    }
  }
}
