/// Whether the largest probability can be believed as a chance of being right.
public struct Calibration: Codable, Hashable, Sendable {
  /// Mean over images of |accuracy - confidence| of their bin; 15 bins of equal width.
  public var eceEqualWidth: Double
  /// The same with 15 bins of (about) equally many images; equal confidences share a bin.
  public var eceEqualMass: Double
  /// Largest |accuracy - confidence| of an equal-width bin that holds an image.
  public var mce: Double
  /// Mean confidence over all images.
  public var confidence: Double
  /// The bins, empty ones included, for the reliability chart.
  public var equalWidth: [ReliabilityBin]
  /// The bins that hold an image.
  public var equalMass: [ReliabilityBin]
  /// Temperature scaling; `nil` where the best temperature lies outside 0.01...100, or rows are not kept.
  @OrNull public var temperature: Temperature?

  enum CodingKeys: String, CodingKey {
    case eceEqualWidth = "ece_equal_width"
    case eceEqualMass = "ece_equal_mass"
    case mce, confidence
    case equalWidth = "equal_width"
    case equalMass = "equal_mass"
    case temperature
  }
}

/// Images whose confidence lies in (low, high]; equal-mass bins: low...high, both seen.
public struct ReliabilityBin: Codable, Hashable, Sendable {
  public var low: Double
  public var high: Double
  public var count: Int
  public var correct: Int
  /// Mean confidence; `nil` in an empty bin.
  @OrNull public var confidence: Double?
  /// With its Wilson interval; `nil` in an empty bin.
  @OrNull public var accuracy: Estimate?
}

/// The images of highest confidence, and how often they are right.
public struct CoveragePoint: Codable, Hashable, Sendable {
  /// `count` / scored.
  public var coverage: Double
  /// The least confidence among them.
  public var threshold: Double
  public var count: Int
  public var accuracy: Estimate
}

/// How sure the model was, and whether it was right: one image.
struct Outcome {
  let confidence: Double
  let isCorrect: Bool
}

extension Calibration {
  static let binCount = 15

  /// - Parameter outcomes: by ascending confidence; not empty.
  init(_ outcomes: [Outcome]) {
    var width = Array(repeating: BinSum(), count: Self.binCount)
    var mass: [BinSum] = []
    var massBin = -1
    for index in outcomes.indices {
      let outcome = outcomes[index]
      // (low, high]: a confidence on an edge belongs to the bin below, as Guo et al. have it.
      let place = (outcome.confidence * Double(Self.binCount)).rounded(.up)
      var bin = max(0, min(Self.binCount, Int(max(0, min(1e6, place)))) - 1)
      // The product may be rounded across an edge; the edges decide.
      if bin > 0 && outcome.confidence <= Self.edge(bin) { bin -= 1 }
      if bin + 1 < Self.binCount && outcome.confidence > Self.edge(bin + 1) { bin += 1 }
      width[bin].add(outcome)
      // Equal confidences share the bin of the first of them.
      if index == 0 || outcome.confidence != outcomes[index - 1].confidence {
        let bin = index * Self.binCount / outcomes.count
        if bin != massBin {
          mass.append(BinSum())
          massBin = bin
        }
      }
      mass[mass.count - 1].add(outcome)
    }
    let count = Double(outcomes.count)
    func error(_ bins: [BinSum]) -> Double { bins.reduce(0) { $0 + $1.gap * Double($1.count) } / count }
    eceEqualWidth = error(width)
    eceEqualMass = error(mass)
    mce = width.reduce(0) { max($0, $1.gap) }
    confidence = ExactSum(outcomes.lazy.map(\.confidence)).value / count
    equalWidth = width.enumerated().map { $1.bin(low: Self.edge($0), high: Self.edge($0 + 1)) }
    equalMass = mass.map { $0.bin(low: $0.low, high: $0.high) }
    temperature = nil
  }

  private static func edge(_ index: Int) -> Double { Double(index) / Double(binCount) }

  private struct BinSum {
    var count = 0
    var correct = 0
    var low = 0.0
    var high = 0.0
    private var confidence = ExactSum()

    mutating func add(_ outcome: Outcome) {
      if count == 0 { low = outcome.confidence }
      high = outcome.confidence
      count += 1
      if outcome.isCorrect { correct += 1 }
      confidence.add(outcome.confidence)
    }

    private var mean: Double { confidence.value / Double(count) }

    /// |accuracy - confidence|; 0 of nothing.
    var gap: Double { count == 0 ? 0 : abs(ratio(correct, count) - mean) }

    func bin(low: Double, high: Double) -> ReliabilityBin {
      ReliabilityBin(
        low: low, high: high, count: count, correct: correct, confidence: count == 0 ? nil : mean,
        accuracy: count == 0 ? nil : .wilson(correct, of: count))
    }
  }
}

extension CoveragePoint {
  /// One point for each percent of the images; those that hold the same images are listed once.
  /// - Parameter outcomes: by ascending confidence; not empty.
  static func curve(_ outcomes: [Outcome]) -> [CoveragePoint] {
    let total = outcomes.count
    // Of the images from each on: how many are right.
    var correct = Array(repeating: 0, count: total + 1)
    for index in outcomes.indices.reversed() {
      correct[index] = correct[index + 1] + (outcomes[index].isCorrect ? 1 : 0)
    }
    var points: [CoveragePoint] = []
    var start = total
    for percent in 1...100 {
      let wanted = total - (percent * total + 99) / 100
      guard wanted < start else { continue }
      start = wanted
      while start > 0 && outcomes[start - 1].confidence == outcomes[wanted].confidence { start -= 1 }
      let count = total - start
      points.append(
        CoveragePoint(
          coverage: ratio(count, total), threshold: outcomes[start].confidence, count: count,
          accuracy: .wilson(correct[start], of: count)))
    }
    return points
  }
}
