import ArgumentParser
import Inference
import Networks
import Terminal

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
    let (kind, kernels) = (engine.engine, engine.kernels)
    var options = InferenceBenchmarkOptions()
    options.batches = batch
    options.runs = runs
    options.timesLayers = layers
    let display = ProgressDisplay(unit: "runs", quiet: output.quiet, showsRate: false)
    var fallback: String?
    let makeNetwork = { batch in
      let model = try BenchModel(model, epoch: epoch, inputShape: imageShape)
      let network = try Network(
        model.graph, model.parameters, engine: kind, batch: batch, workers: workers, kernels: kernels)
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
        + "\(result.engine) engine, \(result.kernels) kernels, "
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
