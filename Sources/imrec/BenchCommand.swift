import ArgumentParser
import Packing
import Records
import Terminal

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
