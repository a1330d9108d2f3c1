import Models
import Networks

@testable import Hyperparameters
@testable import Training

/// Softmax regression with momentum: small enough to see through, and what it learns depends on every step before.
final class StubEngine: TrainingEngine {
  let inputShape: [Int]
  let outputCount: Int
  private(set) var weights: [Float]
  private var momentum: [Float]
  private var updateCount = 0
  private var averages: [Float]?
  /// The loss of this update is NaN.
  var failingUpdate: Int?

  init(shape: [Int], _ parameters: Parameters) throws {
    inputShape = shape
    weights = try parameters.values(of: "fc1_weight")
    outputCount = parameters.shape(of: "fc1_weight")?[0] ?? 0
    momentum = [Float](repeating: 0, count: weights.count)
  }

  static func start(outputs: Int = 3, inputs: Int = 4) -> Parameters {
    let values = (0..<outputs * inputs).map { Float($0 % 5) / 10 - 0.2 }
    return Parameters(["fc1_weight": .init(shape: [outputs, inputs], values: values)])
  }

  func step(
    _ images: Span<Float>, targets: Span<Float>, count: Int, learningRate: Double,
    outputs: inout MutableSpan<Float>
  ) throws -> TrainingStep {
    // Whatever the shape: the means of four parts of the image.
    let (size, inputs) = (inputShape.reduce(1, *), weights.count / outputCount)
    var gradient = [Float](repeating: 0, count: weights.count)
    var loss = 0.0
    for image in 0..<count {
      var features = [Float](repeating: 0, count: inputs)
      for place in 0..<size { features[place * inputs / size] += images[image * size + place] / Float(size) }
      var scores = (0..<outputCount).map { row in
        (0..<inputs).reduce(0 as Float) { $0 + weights[row * inputs + $1] * features[$1] }
      }
      // A rational stand-in for the exponential: positive and growing.
      scores = scores.map { $0 > 0 ? 1 + $0 + $0 * $0 : 1 / (1 - $0 + $0 * $0) }
      let sum = scores.reduce(0, +)
      for row in 0..<outputCount {
        let (output, target) = (scores[row] / sum, targets[image * outputCount + row])
        outputs[image * outputCount + row] = output
        loss += Double((output - target) * (output - target))
        for input in 0..<inputs { gradient[row * inputs + input] += (output - target) * features[input] }
      }
    }
    for place in weights.indices {
      momentum[place] = 0.9 * momentum[place] - Float(learningRate) * gradient[place] / Float(count)
      weights[place] += momentum[place]
    }
    updateCount += 1
    let isFailing = updateCount == failingUpdate
    return TrainingStep(
      loss: isFailing ? .nan : loss / Double(count), forward: .milliseconds(2), backward: .milliseconds(4),
      update: .milliseconds(1))
  }

  func parameters() throws -> Parameters { Parameters(["fc1_weight": array(weights)]) }

  func optimizerState() throws -> (arrays: [String: Parameters.Array], updateCount: Int) {
    (["momentum:fc1_weight": array(momentum)], updateCount)
  }

  func restore(
    _ parameters: Parameters, optimizerState: [String: Parameters.Array], updateCount: Int
  ) throws {
    weights = try parameters.values(of: "fc1_weight")
    momentum = optimizerState["momentum:fc1_weight"]?.values ?? momentum
    self.updateCount = updateCount
  }

  func startAverage(_ parameters: Parameters) throws {
    averages = try parameters.values(of: "fc1_weight")
  }

  func updateAverage(keeping kept: Float) {
    averages = averages.map { zip($0, weights).map { kept * $0 + (1 - kept) * $1 } }
  }

  func average() throws -> Parameters? { averages.map { Parameters(["fc1_weight": array($0)]) } }

  private func array(_ values: [Float]) -> Parameters.Array {
    .init(shape: [outputCount, values.count / outputCount], values: values)
  }
}

/// A training of the stub on images that follow from epoch and batch, and all that it told.
final class Trial {
  var options = FitOptions()
  var events: [TrainingEvent] = []
  var stored: [(epoch: Int, isOnly: Bool, weights: [Float])] = []
  var engines: [StubEngine] = []
  /// After so many batches it is asked to stop.
  var stopAfter: Int?
  /// In the validation of this epoch it is asked to stop.
  var stopInValidationOf: Int?
  /// Before this batch, counted over all epochs, the images cannot be read.
  var failBefore: Int?
  var failingUpdate: Int?
  /// By the number of the try, from 0.
  var failingStores: Set<Int> = []
  private var stores = 0
  /// By epoch; else it follows from the weights.
  var accuracies: [Double]?
  var checkpointPath: String?
  private var batches = 0
  private var validations = 0

  struct Unreadable: Error {}

  init() {
    options.epochs = 3
    options.batch = 2
    options.batchCount = 4
    options.topK = 2
    options.shape = { _ in [1, 2, 4] }
    options.learningRate = { epoch, batch in 0.5 / Double(1 + epoch + batch) }
  }

  func run(from checkpoint: Checkpoint? = nil) throws -> TrainingRecord {
    var parts = FitParts(
      makeEngine: { [self] shape, parameters in
        let engine = try StubEngine(shape: shape, parameters)
        engine.failingUpdate = failingUpdate
        engines.append(engine)
        return engine
      },
      fill: { [self] epoch, batch, shape, images, targets in
        if batches == failBefore { throw Unreadable() }
        for place in images.indices {
          images[place] = Float((epoch * 31 + batch * 17 + place * 7) % 11) / 11
        }
        for place in targets.indices { targets[place] = (epoch + batch + place) % 3 == 0 ? 1 : 0 }
        batches += 1
      },
      validate: { [self] parameters, epoch in
        if epoch == stopInValidationOf { throw CancellationError() }
        validations += 1
        let values = try parameters.values(of: "fc1_weight")
        var sums = MetricSums()
        if let accuracies {
          let right = Int(accuracies[validations - 1] * 100 + 0.5)
          let rows = (0..<100).flatMap { $0 < right ? [1, 0] : [0, 1] as [Float] }
          let truths = (0..<100).flatMap { _ in [1, 0] as [Float] }
          sums.add(rows.span, targets: truths.span, count: 100, width: 2, isMultiLabel: false, top: nil)
        } else {
          sums.add(
            values.span, targets: StubEngine.truths.span, count: 4, width: 3, isMultiLabel: false, top: 2)
        }
        return Validation(sums)
      },
      store: { [self] parameters, epoch, isOnly in
        stores += 1
        if failingStores.contains(stores - 1) { throw Unreadable() }
        stored.append((epoch, isOnly, try parameters.values(of: "fc1_weight")))
        return "model-\(epoch)"
      })
    parts.checkpointPath = checkpointPath
    parts.tell = { [self] in events.append($0) }
    parts.isStopped = { [self] in stopAfter.map { batches >= $0 } ?? false }
    return try fit(options, parts, start: StubEngine.start(), from: checkpoint)
  }

  var warnings: [String] { events.compactMap { if case .warning(let words) = $0 { words } else { nil } } }
}

extension StubEngine {
  static let truths: [Float] = [1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0]
}

extension TrainingRecord {
  /// Without what a clock says.
  var timeless: TrainingRecord {
    var record = self
    record.epochs = epochs.map(\.timeless)
    record.best = best?.timeless
    return record
  }
}

extension EpochRecord {
  var timeless: EpochRecord {
    var record = self
    record.seconds = 0
    record.imagesPerSecond = 0
    record.dataSeconds = 0
    record.forwardSeconds = 0
    record.backwardSeconds = 0
    record.updateSeconds = 0
    record.validationSeconds = 0
    return record
  }
}
