import Foundation
import Predictions

private let classes = ["cat", "dog", "\u{e9}\"</script>"]

/// A truth of so many images: a0, a1, ...
private func makeTruth(_ count: Int) -> Truth {
  let path = NSTemporaryDirectory() + "/imrec-fuzz-json-\(getpid())-\(count).csv"
  defer { unlink(path) }
  let text = "path,label\n" + (0..<count).map { "a\($0),\($0 % 3)\n" }.joined()
  guard (try? text.write(toFile: path, atomically: false, encoding: .utf8)) != nil,
    let list = try? ClassList(classes), let truth = try? Truth(path, classes: list)
  else { fatalError("a truth can be made") }
  return truth
}

private let oneImage = makeTruth(1)
private let threeImages = makeTruth(3)

/// What was scored, and whether the sums hold; `nil` where the outputs are refused as a whole.
private func judge(_ path: String, _ truth: Truth) throws -> [(path: String, row: [Double], label: Int?)]? {
  guard let source = try? OutputSource(path), let plan = try? PredictionPlan(source, truth) else {
    return nil
  }
  var ledger = Ledger(plan)
  var scored: [(path: String, row: [Double], label: Int?)] = []
  var passCount = 0
  repeat {
    scored = []
    passCount += 1
    guard var batches = try? plan.batches() else { return nil }
    while let batch = try? batches.next() {
      ledger.take(plan.read(batch)) { output, row, _ in
        let label: Int? = if case .label(let label) = output.content { label } else { nil }
        scored.append((output.path, (0..<row.count).map { row[$0] }, label))
        return nil
      }
    }
    guard let again = try? ledger.endPass() else { return nil }
    if !again { break }
    try require(passCount < 3, "the outputs are read twice at most, and once more for Caltech's names")
  } while true
  try require(ledger.scoredCount == scored.count, "what is scored is counted")
  try require(
    truth.count == scored.count + ledger.invalid.count + ledger.missing.count,
    "images = scored + invalid + missing")
  try require(Set(scored.map(\.path)).count == scored.count, "no image is scored twice")
  return scored
}

let predictions = FuzzTarget(
  "json",
  words: [
    "prediction", "SageMakerOutput", "path", "label", #"\u00e9"#, #"\ud800"#, "NaN", "Infinity", "1e999",
    "-0.0",
    [0xef, 0xbb, 0xbf], "9007199254740993", "null", "1e-324", "179769313486231580", "[[[[", [0x0d, 0x0a],
    "001_0001.jpg",
  ],
  seeds: {
    [
      "[0.5,0.25,0.25]", #"{"prediction": [5e-1, 2.5E-1, 0.25]}"#, "1", #""dog""#,
      "[1,0,-0.0]\n[0,1,0]\r\n\n[0,0,1]",
      #"{"path":"a0","prediction":[0.123456789012345678,1e-30,12345678901234567890e-20]}"#,
      #"{"SageMakerInput":{"key":"x/a1"},"SageMakerOutput":{"predicted_label":"\u00e9\"<\/script>"}}"#,
      #"{"id":0,"x":[{"y":[true,false,null,-1.5E+3,""]}],"probabilities":[1,1,1],"label":7}"#,
      #"{"path":"a0","label":1}"# + "\n" + #"{"path":"a0","label":2}"# + "\n"
        + #"{"path":"001_0001.jpg","label":2}"#,
      #"{"a":"\ud83d\ude00\b\f\n\r\t\/\\","prediction":[0.1,0.2,0.7]}"#,
      #"[{"path":"a0","prediction":[0.5,0.25,0.25]},{"path":"a1","label":2}]"#, "[[1,0,0],[0,1,0],[0,0,1]]",
      "path,cat,dog,x\na0,0.5,0.25,0.25\n\"a1\",1,0,0\r\na2,0,0,1\n", "image;predicted_label\na0;dog\na1;2\n",
      "id\tprobability_0\tprobability_1\tprobability_2\n0\t0.1\t0.2\t0.7\n",
    ].map { Array($0.utf8) }
  },
  check: { input, scratch in
    let path = try scratch.file(input)
    // Half of the inputs each, chosen by the length, which most mutations change.
    for row in input.count % 2 == 0 ? try judge(path, threeImages) ?? [] : [] where row.label == nil {
      try require(
        row.row.count == 3 && row.row.allSatisfy { $0 >= 0 && $0.isFinite },
        "probabilities are what they must be")
      let sum = row.row.reduce(0, +)
      try require(sum > 0 && sum.isFinite, "a row has a sum")
    }
    // A bare array must be JSON for Foundation too, and its numbers those of strtod. (Foundation's own are not always
    // the nearest: it reads 90071992547409930.0 as 90071992547409920.)
    guard input.count % 2 == 1, input.count(where: { $0 == UInt8(ascii: "[") }) == 1,
      !input.contains(UInt8(ascii: "{")), let rows = try judge(path, oneImage),
      let row = rows.first, row.label == nil, row.row.count == 3
    else {
      return
    }
    let text = String(decoding: input, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    if text.hasPrefix("[") && text.hasSuffix("]") {
      try require((try? JSONSerialization.jsonObject(with: Data(input))) != nil, "what is scored is JSON")
      let numbers = text.dropFirst().dropLast().split(separator: ",").map {
        strtod($0.trimmingCharacters(in: .whitespacesAndNewlines), nil)
      }
      try require(numbers.map(\.bitPattern) == row.row.map(\.bitPattern), "the numbers are those of strtod")
    }
  })
