import ArgumentParser
import Encodings
import Hyperparameters
import Inference
import Networks
import Packing
import Records
import Terminal
import Training

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure how fast this machine is.",
    discussion: "EXAMPLE: imrec bench decode train.rec --resize 256",
    subcommands: [BenchDecodeCommand.self, BenchInferCommand.self, BenchTrainCommand.self])
}

struct BenchDecodeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decode",
    abstract: "Measure images per second from records to tensors.",
    discussion: "EXAMPLE: imrec bench decode train.rec --shape 3,224,224 --resize 256")

  @Argument(help: "A .rec file.")
  var file: String
  @OptionGroup(title: "Tensor") var tensor: TensorShapeOptions
  @Option(
    help: ArgumentHelp("Measured passes over the file. (default: 5)", valueName: "count"),
    transform: wholeNumber(1...1000))
  var runs = 5
  @OptionGroup(title: "Running") var jobs: JobOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws { _ = try tensor.preset() }

  func run() async throws {
    var options = TensorOptions(preset: try tensor.preset())
    options.jobs = jobs.jobs.count
    options.maximumPixelCount = jobs.maximumPixelCount
    let display = ProgressDisplay(unit: "runs", quiet: output.quiet, showsRate: false)
    let result = try await benchmarkDecoding(file, options: options, runs: runs) { display.update($0) }
    display.finish()
    try output.finish(result, skippedCount: result.skipped) {
      "\(rounded(result.imagesPerSecond)) images/s (best \(rounded(result.bestImagesPerSecond))), "
        + "\(counted(result.images, "image")), \(counted(result.runs.count, "run")), \(counted(result.jobs, "job")), \(result.kernels) kernels\n"
    }
  }
}

struct BenchInferCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "infer",
    abstract: "Measure images per second through a network.",
    discussion: "EXAMPLE: imrec bench infer resnet-50 --batch 1,32")

  @Argument(help: "A model as for predict, or a network with random weights: resnet-18, resnet-50-v1.")
  var model: String
  @Option(
    help: ArgumentHelp("Batch sizes to measure, one after the other. (default: 1,32)", valueName: "counts"),
    transform: batchSizes)
  var batch = [1, 32]
  @Flag(help: "Also show the share of each layer.")
  var layers = false
  @Option(
    help: ArgumentHelp("Measured runs for each batch size. (default: 5)", valueName: "count"),
    transform: wholeNumber(1...1000))
  var runs = 5
  @Option(
    help: ArgumentHelp(
      "Channels, height, width of the images. (default: those of the model)", valueName: "c,h,w"),
    transform: numbers(3))
  var imageShape: [Int]?
  @Option(
    help: ArgumentHelp("The NNNN of the .params file. (default: the highest)", valueName: "number"),
    transform: wholeNumber(0...1_000_000_000))
  var epoch: Int?
  @OptionGroup(title: "Running") var engine: EngineOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run() throws {
    let workers = Workers(count: engine.threads.count)
    let (kind, kernels, precision) = (engine.engine, engine.kernels, try engine.precision())
    var options = InferenceBenchmarkOptions()
    options.batches = batch
    options.runs = runs
    options.timesLayers = layers
    let display = ProgressDisplay(unit: "runs", quiet: output.quiet, showsRate: false)
    var fallback: String?
    let makeNetwork = { batch in
      let model = try BenchModel(model, epoch: epoch, inputShape: imageShape)
      let network = try Network(
        model.graph, model.parameters, engine: kind, batch: batch, workers: workers, precision: precision,
        kernels: kernels)
      fallback = network.fallback
      return network
    }
    var result = try benchmarkInference(makeNetwork, options: options) { done, total in
      display.update(done: done, total: total, skipped: 0, fraction: Double(done) / Double(max(1, total)))
    }
    display.finish()
    result.threads = engine.threads.count
    if let fallback { output.words.warn(printable(fallback)) }
    try output.finish(result, skippedCount: 0) { text(result) }
  }

  private func text(_ result: InferenceBenchmark) -> String {
    var lines = ["  batch  images/s    best  ms p50  ms p99  GFLOP/s  load ms"]
    for batch in result.batches {
      lines.append(
        "  " + leftPadded("\(batch.batch)", 5) + leftPadded(oneDecimal(batch.imagesPerSecond), 10)
          + leftPadded(oneDecimal(batch.bestImagesPerSecond), 8)
          + leftPadded(oneDecimal(batch.latencyP50Ms), 8)
          + leftPadded(oneDecimal(batch.latencyP99Ms), 8) + leftPadded(oneDecimal(batch.gflopPerSecond), 9)
          + leftPadded(rounded(batch.loadSeconds * 1000), 9))
    }
    for batch in result.batches {
      guard let layers = batch.layers else { continue }
      lines.append("batch \(batch.batch), layer by layer:")
      for layer in layers {
        lines.append(
          "  \(leftPadded(oneDecimal(layer.share * 100), 5)) %  "
            + "\(leftPadded(oneDecimal(layer.milliseconds), 7)) ms  \(printable(layer.name))")
      }
    }
    let shape = result.shape.map { "\($0)" }.joined(separator: "x")
    lines.append(
      "\(shape), \(oneDecimal(result.gflop)) GFLOP an image; \(counted(result.threads, "thread")), "
        + "\(result.engine) engine, \(result.kernels) kernels, \(result.precision), "
        + "peak memory \(byteText(result.peakMemoryBytes))")
    return lines.joined(separator: "\n") + "\n"
  }
}

private func batchSizes(_ text: String) throws -> [Int] {
  let sizes = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
  guard sizes.allSatisfy((1...4096).contains) else {
    throw ValidationError("'\(text)' is not a list of whole numbers from 1 to 4096, such as 1,32")
  }
  return sizes
}

struct BenchTrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Measure images per second of training, on random images.",
    discussion: "EXAMPLE: imrec bench train --num-layers 18 --mini-batch-size 32")

  @Option(
    help: ArgumentHelp("Measured runs of a second, or one step. (default: 5)", valueName: "count"),
    transform: wholeNumber(1...1000))
  var runs = 5
  @OptionGroup var threads: ThreadCount
  @OptionGroup(title: "Hyperparameters") var hyperparameters: HyperparameterOptions
  @OptionGroup(title: "Hyperparameters beyond SageMaker's") var own: OwnHyperparameterOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    do { try HyperparameterSet(hyperparameters.pairs + own.pairs, isComplete: false).check() } catch {
      throw ValidationError("\(error)")
    }
  }

  func run() throws {
    let values = try HyperparameterSet(hyperparameters.pairs + own.pairs, isComplete: false)
    if let warning = values.precisionWarning { output.words.warn(warning) }
    let display = ProgressDisplay(unit: "runs", quiet: output.quiet, showsRate: false)
    let result = try benchmarkTraining(
      values, runs: runs, threads: threads.count,
      makeEngine: TrainingRequest.trainer(),
      progress: { done, total in
        display.update(done: done, total: total, skipped: 0, fraction: Double(done) / Double(max(1, total)))
      })
    display.finish()
    try output.finish(result, skippedCount: 0) {
      "\(oneDecimal(result.imagesPerSecond)) images/s (best \(oneDecimal(result.bestImagesPerSecond))); a step of "
        + "\(counted(result.batch, "image")): \(rounded(result.forwardSeconds * 1000)) ms forward, "
        + "\(rounded(result.backwardSeconds * 1000)) ms backward, \(rounded(result.updateSeconds * 1000)) ms update; "
        + "\(result.precision), \(counted(result.threads, "thread")), peak memory \(byteText(result.peakMemoryBytes))\n"
    }
  }
}
