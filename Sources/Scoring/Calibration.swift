/// Whether the largest probability can be believed as the chance of being right.
public struct Calibration: Codable, Hashable, Sendable {
  /// The expected calibration error: the mean over images of |accuracy - confidence| of their bin, with 15 bins of
  /// equal width (Guo et al. 2017).
  public var eceEqualWidth: Double
  /// The same with 15 bins of about equally many images; equal confidences share a bin.
  public var eceEqualMass: Double
  /// The largest |accuracy - confidence| of a bin of equal width that holds an image.
  public var mce: Double
  /// The mean confidence over all images.
  public var confidence: Double
  /// The bins of equal width, empty ones included.
  public var equalWidth: [ReliabilityBin]
  /// The bins of equal mass, without empty ones.
  public var equalMass: [ReliabilityBin]
  /// Temperature scaling; `nil` where the best temperature is outside 0.01...100, or the rows were not kept.
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

/// The images whose confidence is in (low, high]; in low...high for bins of equal mass.
public struct ReliabilityBin: Codable, Hashable, Sendable {
  /// The lower end; the least confidence in the bin for bins of equal mass.
  public var low: Double
  /// The upper end; the largest confidence in the bin for bins of equal mass.
  public var high: Double
  /// The number of images.
  public var count: Int
  /// The number of images that are right.
  public var correct: Int
  /// The mean confidence; `nil` in an empty bin.
  @OrNull public var confidence: Double?
  /// The share of images that are right, with Wilson's interval; `nil` in an empty bin.
  @OrNull public var accuracy: Estimate?
}

/// The accuracy of the images of highest confidence.
public struct CoveragePoint: Codable, Hashable, Sendable {
  /// The share of scored images that these are, 0...1.
  public var coverage: Double
  /// The least confidence among them.
  public var threshold: Double
  /// The number of images.
  public var count: Int
  /// The share of them that are right, with Wilson's interval.
  public var accuracy: Estimate
}

/// The confidence of one prediction, and whether it was right.
struct Outcome {
  let confidence: Double
  let isCorrect: Bool
}

extension Calibration {
  static let binCount = 15

  /// Computes everything but the temperature.
  /// - Parameter outcomes: by ascending confidence; not empty.
  init(_ outcomes: [Outcome]) {
    var width = Array(repeating: BinSum(), count: Self.binCount)
    var mass: [BinSum] = []
    var massBin = -1
    for index in outcomes.indices {
      let outcome = outcomes[index]
      // (low, high]: a confidence on an edge belongs to the bin below, as in Guo et al.
      let place = (outcome.confidence * Double(Self.binCount)).rounded(.up)
      var bin = max(0, min(Self.binCount, Int(max(0, min(1e6, place)))) - 1)
      // Rounding may move the product across an edge, so the edges decide.
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

    /// |accuracy - confidence|; 0 in an empty bin.
    var gap: Double { count == 0 ? 0 : abs(ratio(correct, count) - mean) }

    func bin(low: Double, high: Double) -> ReliabilityBin {
      ReliabilityBin(
        low: low, high: high, count: count, correct: correct, confidence: count == 0 ? nil : mean,
        accuracy: count == 0 ? nil : .wilson(correct, of: count))
    }
  }
}

extension CoveragePoint {
  /// A point for each percent of the images. Points that hold the same images are listed once.
  /// - Parameter outcomes: by ascending confidence; not empty.
  static func curve(_ outcomes: [Outcome]) -> [CoveragePoint] {
    let total = outcomes.count
    // `correct[i]` is the number of right images from index i on.
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
