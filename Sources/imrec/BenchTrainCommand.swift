import ArgumentParser
import Hyperparameters
import Terminal
import Training

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
    let display = ProgressDisplay(unit: "runs", quiet: output.quiet, showsRate: false)
    let result = try benchmarkTraining(
      HyperparameterSet(hyperparameters.pairs + own.pairs, isComplete: false), runs: runs,
      threads: threads.count,
      makeEngine: TrainingRequest.trainer(),
      progress: { done, total in
        display.update(done: done, total: total, skipped: 0, fraction: Double(done) / Double(max(1, total)))
      })
    display.finish()
    try output.finish(result, skippedCount: 0) {
      "\(oneDecimal(result.imagesPerSecond)) images/s (best \(oneDecimal(result.bestImagesPerSecond))); a step of "
        + "\(counted(result.batch, "image")): \(rounded(result.forwardSeconds * 1000)) ms forward, "
        + "\(rounded(result.backwardSeconds * 1000)) ms backward, \(rounded(result.updateSeconds * 1000)) ms update; "
        + "\(counted(result.threads, "thread")), peak memory \(byteText(result.peakMemoryBytes))\n"
    }
  }
}
