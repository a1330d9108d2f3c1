import Files
import Scoring
import TestSupport

/// Predictions made from whole numbers, the same here and in `tools/oracle/inputs/score_cases.py`, which says what the
/// fields mean.
struct Samples: Codable {
  var seed: UInt64
  var classes: Int
  var images: Int
  var bits = 20
  var power = 2
  var right: UInt64 = 75
  var boost: UInt64 = 12
  var shift = 0
  var near: UInt64 = 30
  var absent = 0
  var raw = false
  var hard = false

  init(seed: UInt64, classes: Int, images: Int) {
    self.seed = seed
    self.classes = classes
    self.images = images
  }

  struct Row {
    var path: String
    var truth: Int
    var probabilities: [Double]
  }

  var names: [String] { (0..<classes).map { "class \($0)" } }

  var rows: [Row] {
    var generator = SplitMix64(seed: seed)
    let present = (0..<classes).filter { absent == 0 || $0 % absent != absent - 1 }
    let size = bits * power
    return (0..<images).map { image in
      let truth = present[Int(generator.next() % UInt64(present.count))]
      var weights = (0..<classes).map { _ in
        let drawn = generator.next() >> UInt64(64 - bits)
        return (1..<power).reduce(drawn) { product, _ in product * drawn }
      }
      let (hit, extra, close, more) = (
        generator.next(), generator.next(), generator.next(), generator.next()
      )
      if hit % 100 < right { weights[(truth + shift) % classes] += (extra >> UInt64(64 - size)) * boost }
      let other = truth ^ 1 < classes ? truth ^ 1 : truth
      if close % 100 < near { weights[other] += (more >> UInt64(64 - size)) * boost / 2 }
      if weights.allSatisfy({ $0 == 0 }) { weights[0] = 1 }
      let divisor = raw ? Double(UInt64(1) << UInt64(size)) : Double(weights.reduce(0, +))
      let number = String(image)
      return Row(
        path: String(repeating: "0", count: max(0, 6 - number.count)) + number + ".jpg", truth: truth,
        probabilities: weights.map { Double($0) / divisor })
    }
  }

  func tally(rowBudget: Int = 32 << 20) throws -> Tally {
    let tally = Tally(classes: names, rowBudget: rowBudget)
    return try hard ? tally.addingHard(rows) : tally.adding(rows)
  }

  func score(_ options: ScoreOptions = ScoreOptions()) throws -> Score { try tally().score(options) }
}

extension Tally {
  /// A span of an array without a name inside a loop makes Swift 6.3.1 crash: here the row has one.
  mutating func add(
    _ path: String, truth: Int, row: [Double], attributes: [ByteName: Attribute] = [:]
  ) throws {
    try add(path, truth: truth, probabilities: row.span, attributes: attributes)
  }

  func adding(_ rows: some Sequence<Samples.Row>) throws -> Tally {
    var tally = self
    for row in rows { try tally.add(row.path, truth: row.truth, row: row.probabilities) }
    return tally
  }

  /// Only the most probable class of each.
  func addingHard(_ rows: some Sequence<Samples.Row>) throws -> Tally {
    var tally = self
    for row in rows {
      let best = row.probabilities.indices.max { a, b in
        (row.probabilities[a], -a) < (row.probabilities[b], -b)
      }
      try tally.add(row.path, truth: row.truth, predicted: best ?? 0)
    }
    return tally
  }
}
