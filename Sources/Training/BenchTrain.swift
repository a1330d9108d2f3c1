import Files
public import Hyperparameters
public import Models
public import Networks

/// How fast this machine trains a network: steps on random images, without reading or decoding files.
public struct TrainingBenchmark: Encodable, Sendable {
  /// Median over the runs.
  public var imagesPerSecond = 0.0
  /// The fastest run.
  public var bestImagesPerSecond = 0.0
  /// Images per second of each run, in order.
  public var runs: [Double] = []
  /// Median duration of a whole step, and of its parts.
  public var stepSeconds = 0.0
  public var forwardSeconds = 0.0
  public var backwardSeconds = 0.0
  public var updateSeconds = 0.0
  /// Time to build the network and its workers.
  public var loadSeconds = 0.0
  /// The depth of the ResNet.
  public var layers = 0
  /// Channels, height, width.
  public var shape: [Int] = []
  /// Images of one step.
  public var batch = 0
  /// The name of the hyperparameter `optimizer`.
  public var optimizer = ""
  /// The value of the hyperparameter `precision`.
  public var precision = ""
  public var threads = 0
  /// The peak resident memory of the process so far.
  public var peakMemoryBytes = 0
}

/// Measures training steps with these hyperparameters, after one warm-up step.
///
/// - Parameters:
///   - hyperparameters: only those of the network, the batch, the optimizer and the precision matter. `num_classes`
///     defaults to 1000.
///   - runs: measured runs; each lasts one second, or one step if that takes longer.
///   - progress: called after each run.
/// - Throws: `TrainingError` for contradictory hyperparameters; `ModelError`; what the engine throws;
///   `CancellationError`.
public func benchmarkTraining(
  _ hyperparameters: HyperparameterSet, runs: Int, threads: Int, makeEngine: TrainingRequest.MakeEngine,
  progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
) throws -> TrainingBenchmark {
  try hyperparameters.check()
  let classes = hyperparameters.numClasses > 0 ? hyperparameters.numClasses : 1000
  let graph = try ResNet(
    depth: hyperparameters.numLayers, head: hyperparameters.multiLabel ? .sigmoid : .softmax,
    classCount: classes, inputShape: hyperparameters.imageShape
  ).graph
  var result = TrainingBenchmark()
  let batch = hyperparameters.miniBatchSize
  let start = ContinuousClock.now
  let engine = try makeEngine(
    graph, Parameters(initialFor: graph, seed: UInt64(hyperparameters.seed.magnitude)), batch,
    hyperparameters.mxnetOptimizer, nil, Workers(count: threads), hyperparameters.networkPrecision)
  result.loadSeconds = (.now - start) / .seconds(1)
  let data = imagined(batch, graph)
  var outputs = [Float](repeating: 0, count: batch * classes)
  func step() throws -> (whole: Duration, parts: TrainingStep) {
    let start = ContinuousClock.now
    var span = outputs.mutableSpan
    // Such a low rate hardly changes the weights, so random data cannot make them diverge.
    let parts = try engine.step(
      data.images.span, targets: data.targets.span, count: batch, learningRate: 1e-6, outputs: &span)
    return (.now - start, parts)
  }
  _ = try step()
  var steps: [(whole: Duration, parts: TrainingStep)] = []
  for run in 0..<runs {
    let start = ContinuousClock.now
    var count = 0
    repeat {
      try Task.checkCancellation()
      steps.append(try step())
      count += 1
    } while .now - start < .seconds(1)
    result.runs.append(Double(count * batch) / ((.now - start) / .seconds(1)))
    progress(run + 1, runs)
  }
  result.imagesPerSecond = median(result.runs)
  result.bestImagesPerSecond = result.runs.max() ?? 0
  result.stepSeconds = median(steps.map { $0.whole / .seconds(1) })
  result.forwardSeconds = median(steps.map { $0.parts.forward / .seconds(1) })
  result.backwardSeconds = median(steps.map { $0.parts.backward / .seconds(1) })
  result.updateSeconds = median(steps.map { $0.parts.update / .seconds(1) })
  result.layers = hyperparameters.numLayers
  result.shape = hyperparameters.imageShape
  result.batch = batch
  result.optimizer = hyperparameters.optimizer.rawValue
  result.precision = hyperparameters.precision.rawValue
  result.threads = threads
  result.peakMemoryBytes = peakMemory()
  return result
}

/// Samples in 0...255, and one-hot targets with one class for each image.
private func imagined(_ batch: Int, _ graph: Graph) -> (images: [Float], targets: [Float]) {
  let images = imaginedSamples(graph.inputShape.reduce(batch, *))
  var targets = [Float](repeating: 0, count: batch * graph.outputCount)
  for image in 0..<batch { targets[image * graph.outputCount + image % graph.outputCount] = 1 }
  return (images, targets)
}
