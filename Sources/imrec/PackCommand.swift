import ArgumentParser
import Encodings
import Files
import Packing
import Records
import Terminal

struct PackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack",
    abstract: "Pack the images of a list into a RecordIO file.",
    discussion: """
      Writes FILE.rec and FILE.idx, byte for byte as MXNet's im2rec.py does.
      EXAMPLE: imrec pack train.lst photos/ --resize 256 --quality 95
      """)

  @Argument(help: "A .lst file: index, label, path, one image per line.")
  var list: String
  @Argument(help: "The folder that the paths in the list are relative to.")
  var root: String
  @Option(
    name: [.short, .customLong("output")], help: "The .rec file. (default: the list's path with .rec)")
  var output: String?
  @OptionGroup(title: "Packing") var packing: PackingOptions
  @Option(
    help: ArgumentHelp("Divide the list into this many parts, as dmlc does.", valueName: "count"),
    transform: wholeNumber(1...100_000))
  var numParts: Int?
  @Option(
    help: ArgumentHelp("Pack this part only, from 0; imrec merge joins them.", valueName: "index"),
    transform: wholeNumber(0...99_999))
  var part: Int?
  @OptionGroup(title: "Running") var jobs: JobOptions
  @OptionGroup(title: "Output") var results: OutputOptions

  func validate() throws {
    guard (numParts == nil) == (part == nil) else {
      throw ValidationError("--num-parts and --part must be given together")
    }
    if let numParts, let part, part >= numParts {
      throw ValidationError("--part counts from 0: the last of \(numParts) parts is \(numParts - 1)")
    }
  }

  func run() async throws {
    var options = packing.options(jobs)
    var path = output ?? splitExtension(list).stem + ".rec"
    if let numParts, let part {
      options.part = ListShard(index: part, count: numParts)
      if output == nil {
        let digits = String(part)
        path =
          splitExtension(list).stem + ".part" + String(repeating: "0", count: max(0, 3 - digits.count))
          + digits
          + ".rec"
      }
    }
    let display = ProgressDisplay(unit: "images", quiet: results.quiet)
    let words = results.words
    let summary = try await pack(list: list, root: root, output: path, options: options) {
      display.update($0)
    }
    display.finish()
    for warning in summary.warnings {
      let remedy =
        warning.hasSuffix(PackSummary.droppedLabelWords) ? " (--pack-label stores all of them)" : ""
      words.warn(printable(warning) + remedy)
    }
    words.skipped(summary.skipped)
    words.doubtful(summary.doubtful)
    if summary.resumed > 0 { words.note("\(counted(summary.resumed, "record")) kept from an earlier run") }
    try results.finish(summary, skippedCount: summary.skipped.count) {
      let skipped = summary.skipped.isEmpty ? "" : ", \(summary.skipped.count) skipped"
      let doubtful = summary.doubtful.isEmpty ? "" : ", \(summary.doubtful.count) doubtful"
      return
        "\(path): \(counted(summary.records, "record")), \(byteText(summary.bytes)), "
        + "\(oneDecimal(summary.seconds)) s\(skipped)\(doubtful)\n"
    }
  }
}
