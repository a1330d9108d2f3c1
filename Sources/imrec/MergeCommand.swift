import ArgumentParser
import Packing
import Terminal

struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Join RecordIO files into one, with one index.",
    discussion: """
      Refuses parts if their names, ids or list show that one is missing, that they are
      out of order, or that they were packed with different options.
      EXAMPLE: imrec merge train.rec train.part000.rec train.part001.rec
      """)

  @Argument(help: "The .rec file to write.")
  var output: String
  @Argument(help: "The .rec files to join, in this order.")
  var parts: [String]
  @Flag(help: "Give the records the ids 0, 1, 2, ... instead of their own.")
  var renumber = false
  @Flag(help: "Join any files in any order, without these checks.")
  var unchecked = false
  @OptionGroup var results: OutputOptions

  func run() throws {
    let display = ProgressDisplay(unit: "records", quiet: results.quiet)
    let merged = try merge(parts, into: output, renumbers: renumber, checksParts: !unchecked) {
      display.update($0)
    }
    display.finish()
    try results.finish(merged, skippedCount: 0) {
      "\(output): \(counted(merged.records, "record")) of \(counted(merged.parts, "file")), \(byteText(merged.bytes))\n"
    }
  }
}
