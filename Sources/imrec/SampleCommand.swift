import ArgumentParser
import Sampling
import Terminal

struct SampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample",
    abstract: "Draw a small data set for trying everything out.",
    discussion: """
      Class folders like those of Caltech: JPEG and PNG, varied sizes, some grey, CMYK, EXIF-rotated, progressive;
      two files are broken on purpose.
      EXAMPLE: imrec sample photos --outputs outputs
      """)

  @Argument(help: "A new or empty folder.")
  var folder: String
  @Option(
    help: ArgumentHelp("Number of classes.", valueName: "count"),
    transform: wholeNumber(1...SampleOptions.largestClassCount))
  var classes = SampleOptions.largestClassCount
  @Option(
    help: ArgumentHelp("Approximate number of pictures per class.", valueName: "count"),
    transform: wholeNumber(1...9000))
  var perClass = 80
  @Option(help: ArgumentHelp("Seed of the random pictures.", valueName: "number"))
  var seed = 1
  @Option(
    help: ArgumentHelp(
      "Also write first/ and second/ here: the outputs of two simulated classifiers.",
      valueName: "folder"))
  var outputs: String?
  @OptionGroup var output: OutputOptions

  func run() throws {
    var options = SampleOptions()
    options.classCount = classes
    options.imagesPerClass = perClass
    options.seed = seed
    let display = ProgressDisplay(unit: "pictures", quiet: output.quiet)
    let summary = try writeSample(to: folder, options: options) { done, total in
      display.update(done: done, total: total, skipped: 0, fraction: Double(done) / Double(max(1, total)))
    }
    display.finish()
    if let outputs { try writeImaginedOutputs(to: outputs, options: options) }
    try output.finish(summary, skippedCount: 0) {
      "\(folder): \(summary.images) pictures in \(summary.classes.count) classes, \(byteText(summary.bytes)); "
        + "broken on purpose: \(summary.broken.joined(separator: ", "))\n"
        + (outputs.map { "\($0): first/ and second/, the outputs of two simulated classifiers\n" } ?? "")
    }
  }
}
