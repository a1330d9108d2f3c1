import Glibc

/// Accuracy and loss over many images, as sums: the sums of batches and ranks can be added and stored in a checkpoint.
public struct MetricSums: Hashable, Sendable, Codable {
  /// Images added so far.
  public private(set) var images = 0
  /// The denominator of accuracy: the number of images or, for multi-label data, of all labels of all images.
  public private(set) var decisions = 0
  /// Correct decisions.
  public private(set) var correct = 0
  /// Images whose class is among the k largest outputs.
  public private(set) var inTop = 0
  /// The summed cross-entropy in nats. For multi-label data an image adds the mean over its outputs, as in training.
  public private(set) var loss = 0.0

  public init() {}

  /// All sums as numbers, in the order that `init(_:)` reads.
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

  /// 0...1; 0 without images.
  public var accuracy: Double { decisions > 0 ? Double(correct) / Double(decisions) : 0 }
  /// Top-k accuracy, 0...1; 0 without images.
  public var topAccuracy: Double { images > 0 ? Double(inTop) / Double(images) : 0 }
  /// Nats per image; 0 without images.
  public var meanLoss: Double { images > 0 ? loss / Double(images) : 0 }

  /// Adds the images of a batch.
  ///
  /// The class of an image is the index of its largest target, which also holds for smoothed labels; for two mixed
  /// images it is the class with the larger share. The prediction is the first of the largest outputs. NaN is never
  /// correct.
  ///
  /// - Parameters:
  ///   - outputs: probabilities, at least `count * width`, row-major.
  ///   - targets: likewise.
  ///   - count: images.
  ///   - width: outputs of each image.
  ///   - isMultiLabel: whether every output is a decision of its own: present if above 0.5.
  ///   - top: the k of top-k accuracy; nil: not counted.
  ///   - positiveWeights: for multi-label data, the weight of a present class in the loss, by label; nil: 1.
  ///   - loss: the summed loss of these images; nil: computed here.
  public mutating func add(
    _ outputs: Span<Float>, targets: Span<Float>, count: Int, width: Int, isMultiLabel: Bool, top: Int?,
    positiveWeights: [Float]? = nil, loss: Double? = nil
  ) {
    precondition(
      outputs.count >= count * width && targets.count >= count * width,
      "outputs and targets must cover every image")
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

  /// The rank of an output, from 0: the number of larger outputs, and of equal ones at a lower index.
  private static func rank(of truth: Int, in row: Range<Int>, _ outputs: Span<Float>) -> Int {
    let value = outputs[truth]
    if value.isNaN { return row.count }
    var rank = 0
    for place in row where outputs[place] > value || (outputs[place] == value && place < truth) { rank += 1 }
    return rank
  }

  /// Cross-entropy as MXNet's CrossEntropy metric computes it: probabilities below 1e-12 count as 1e-12.
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

/// The logarithm of a probability of at least 1e-12; NaN stays NaN.
private func logarithm(_ probability: Double) -> Double {
  probability < 1e-12 ? -27.631_021_115_928_547 : log(probability)
}
