/// What the outputs of many images add up to: sums only, so that parts can be added and kept in a checkpoint.
public struct MetricSums: Hashable, Sendable, Codable {
  public private(set) var images = 0
  /// What `correct` counts: images, or with several labels an image the labels of all images.
  public private(set) var decisions = 0
  public private(set) var correct = 0
  /// Images whose class is among the first k.
  public private(set) var inTop = 0
  /// Of the cross-entropy, in nats; with several labels an image each is the mean over its outputs, as what is trained.
  public private(set) var loss = 0.0

  public init() {}

  /// All of them, and back.
  var numbers: [Double] { [Double(images), Double(decisions), Double(correct), Double(inTop), loss] }
  var counts: [Int] { [images, decisions, correct, inTop] }

  init?(_ numbers: [Double]) {
    guard numbers.count == 5, let images = Int(exactly: numbers[0]), let decisions = Int(exactly: numbers[1]),
      let correct = Int(exactly: numbers[2]), let inTop = Int(exactly: numbers[3])
    else { return nil }
    (self.images, self.decisions, self.correct, self.inTop) = (images, decisions, correct, inTop)
    loss = numbers[4]
  }

  mutating func add(_ other: MetricSums) {
    images += other.images
    decisions += other.decisions
    correct += other.correct
    inTop += other.inTop
    loss += other.loss
  }

  public var accuracy: Double { decisions > 0 ? Double(correct) / Double(decisions) : 0 }
  public var topAccuracy: Double { images > 0 ? Double(inTop) / Double(images) : 0 }
  public var meanLoss: Double { images > 0 ? loss / Double(images) : 0 }

  /// Adds images.
  ///
  /// The class of an image is where its targets are largest: also with smoothed labels, and of two mixed images the one
  /// that has more of it. A prediction is the first of the largest outputs; NaN is never right.
  ///
  /// - Parameters:
  ///   - outputs: probabilities, `count * width`.
  ///   - targets: as many.
  ///   - isMultiLabel: every output is a decision of its own, yes above 0.5.
  ///   - top: counts the images whose class is among so many.
  ///   - positiveWeights: what a yes of each output counts in the loss, with several labels an image; nil: 1.
  ///   - loss: the sum over these images; nil: computed here.
  public mutating func add(
    _ outputs: Span<Float>, targets: Span<Float>, count: Int, width: Int, isMultiLabel: Bool, top: Int?,
    positiveWeights: [Float]? = nil, loss: Double? = nil
  ) {
    precondition(outputs.count >= count * width && targets.count >= count * width, "numbers for each image")
    images += count
    decisions += isMultiLabel ? count * width : count
    for image in 0..<count {
      let row = image * width..<(image + 1) * width
      if isMultiLabel {
        for place in row where !outputs[place].isNaN && (outputs[place] > 0.5) == (targets[place] > 0.5) {
          correct += 1
        }
      } else {
        var truth = row.lowerBound
        for place in row where targets[place] > targets[truth] { truth = place }
        let rank = Self.rank(of: truth, in: row, outputs)
        if rank == 0 { correct += 1 }
        if let top, rank < top { inTop += 1 }
      }
      if loss == nil { self.loss += Self.loss(row, outputs, targets, isMultiLabel, positiveWeights) }
    }
    if let loss { self.loss += loss }
  }

  /// How many outputs come before this one: larger ones, and equal ones in front of it.
  private static func rank(of truth: Int, in row: Range<Int>, _ outputs: Span<Float>) -> Int {
    let value = outputs[truth]
    if value.isNaN { return row.count }
    var rank = 0
    for place in row where outputs[place] > value || (outputs[place] == value && place < truth) { rank += 1 }
    return rank
  }

  /// MXNet's CrossEntropy: probabilities below 1e-12 count as that.
  private static func loss(
    _ row: Range<Int>, _ outputs: Span<Float>, _ targets: Span<Float>, _ isMultiLabel: Bool,
    _ positiveWeights: [Float]?
  ) -> Double {
    var sum = 0.0
    for place in row {
      let (output, target) = (Double(outputs[place]), Double(targets[place]))
      let weight = Double(positiveWeights?[place - row.lowerBound] ?? 1)
      if target != 0 { sum -= weight * target * logarithm(output) }
      if isMultiLabel && target != 1 { sum -= (1 - target) * logarithm(1 - output) }
    }
    return isMultiLabel ? sum / Double(row.count) : sum
  }
}

/// NaN stays NaN.
private func logarithm(_ probability: Double) -> Double {
  probability < 1e-12 ? -27.631_021_115_928_547 : naturalLogarithm(probability)
}
