import ArgumentParser
import Encodings
import Hyperparameters
import Inference
import Models
import Networks
import Packing
import Records
import Reporting
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
    discussion: """
      Without --precision and $IMREC_PRECISION, fp32, bf16 and int8 take turns.
      int8 is calibrated on random images: its speed counts, not its outputs.
      EXAMPLE: imrec bench infer resnet-50 --batch 1,32
      """)

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
    let (kind, kernels) = (engine.engine, engine.kernels)
    var options = InferenceBenchmarkOptions()
    options.batches = batch
    options.precisions = try precisions()
    options.runs = runs
    options.timesLayers = layers
    let readModel = { try BenchModel(model, epoch: epoch, inputShape: imageShape) }
    var quantization: Quantization?
    if options.precisions.contains(.int8) {
      let model = try readModel()
      do {
        quantization = try model.quantization(kernels: kernels)
      } catch let error as ModelError where options.precisions.count > 1 {
        options.precisions.removeAll { $0 == .int8 }
        output.words.warn("int8 is not measured: \(printable("\(error)"))")
      }
    }
    let display = ProgressDisplay(unit: "runs", quiet: output.quiet, showsRate: false)
    var fallback: String?
    let makeNetwork = { batch, precision in
      let model = try readModel()
      let network = try Network(
        model.graph, model.parameters, engine: kind, batch: batch, workers: workers, precision: precision,
        quantization: quantization, kernels: kernels)
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

  /// The one that was asked for, otherwise all that the engine has.
  private func precisions() throws -> [Network.Precision] {
    if engine.engine == .reference { return [.fp32] }
    switch try engine.precision() {
    case nil: return Network.Precision.allCases
    case .fp32: return [.fp32]
    case .bf16: return [.bf16]
    case .int8, .fastest: return [.int8]
    }
  }

  private func text(_ result: InferenceBenchmark) -> String {
    let isComparison = !result.otherPrecisions.isEmpty
    var lines = [
      "  batch  precision  images/s    best" + (isComparison ? leftPadded("to \(result.precision)", 9) : "")
        + "  ms p50  ms p99  GFLOP/s  load ms"
    ]
    for first in result.batches {
      for batch in [first] + result.otherPrecisions.filter({ $0.batch == first.batch }) {
        lines.append(
          "  " + leftPadded("\(batch.batch)", 5) + "  " + padded(batch.precision, 9)
            + leftPadded(oneDecimal(batch.imagesPerSecond), 10)
            + leftPadded(oneDecimal(batch.bestImagesPerSecond), 8)
            + (isComparison ? leftPadded(batch.ratio.map { "\(decimalText($0, 2))x" } ?? "", 9) : "")
            + leftPadded(oneDecimal(batch.latencyP50Ms), 8) + leftPadded(oneDecimal(batch.latencyP99Ms), 8)
            + leftPadded(oneDecimal(batch.gflopPerSecond), 9)
            + leftPadded(rounded(batch.loadSeconds * 1000), 9))
      }
    }
    for first in result.batches {
      lines += layerLines([first] + result.otherPrecisions.filter { $0.batch == first.batch })
    }
    let shape = result.shape.map { "\($0)" }.joined(separator: "x")
    lines.append(
      "\(shape), \(oneDecimal(result.gflop)) GFLOP an image; \(counted(result.threads, "thread")), "
        + "\(result.engine) engine, \(result.kernels) kernels, "
        + (isComparison ? "" : "\(result.precision), ") + "peak memory \(byteText(result.peakMemoryBytes))")
    return lines.joined(separator: "\n") + "\n"
  }

  /// A column for each precision: networks of one graph have the same layers.
  private func layerLines(_ measured: [InferenceBenchmark.Batch]) -> [String] {
    guard let layers = measured.first?.layers, !layers.isEmpty else { return [] }
    let head = "batch \(measured[0].batch), layer by layer:"
    return [head, measured.map { leftPadded($0.precision, 19) }.joined()]
      + layers.indices.map { index in
        measured.map { batch in
          guard let layer = batch.layers?[index] else { return "" }
          return leftPadded(oneDecimal(layer.share * 100), 7) + " %"
            + leftPadded(oneDecimal(layer.milliseconds), 7) + " ms"
        }.joined() + "  " + printable(layers[index].name)
      }
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
