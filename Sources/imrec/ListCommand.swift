import ArgumentParser
import Encodings
import Files
import Packing
import Records
import Scoring
import Terminal

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Make image lists from class folders, without records.",
    discussion: """
      Without a split, it writes PREFIX.lst as im2rec.py --list --recursive does.
      Prints the label and the name of each class.
      EXAMPLE: imrec list photos/ photos --train-ratio 0.8 --test-ratio 0.1
      """)

  @Argument(help: "A folder that holds one folder for each class.")
  var root: String
  @Argument(help: "What the names of the lists begin with.")
  var prefix: String
  @OptionGroup(title: "Split (default: none)") var splitting: SplitOptions
  @Flag(help: "Stop at the first input that would be left out.")
  var strict = false
  @OptionGroup(title: "Output") var output: OutputOptions

  private struct Result: Encodable {
    struct List: Encodable {
      let path: String
      let images: Int
    }
    struct Class: Encodable {
      let label: Int
      let name: String
      let images: Int
    }
    let images: Int
    let lists: [String: List]
    let classes: [Class]
    let skipped: [Skip]
    let passedOver: [PassedOver]
    let warnings: [String]
  }

  func run() throws {
    let words = output.words
    let listing = try makeLists(root: root, prefix: prefix, options: splitting.options(strict: strict))
    try writeLists(listing, prefix: prefix)
    for warning in listing.warnings { words.warn(printable(warning)) }
    for note in listing.notes { words.note(printable(note)) }
    words.skipped(listing.skipped)
    for part in listing.parts { words.note("\(part.path): \(part.entries.count) images") }
    let result = Result(
      images: listing.imageCount,
      lists: Dictionary(
        uniqueKeysWithValues: listing.parts.map { ($0.key, .init(path: $0.path, images: $0.entries.count)) }),
      classes: listing.classes.enumerated().map { label, name in
        .init(label: label, name: name, images: listing.totalCounts[label])
      }, skipped: listing.skipped, passedOver: listing.passedOver, warnings: listing.warnings)
    try output.finish(result, skippedCount: listing.skippedCount) {
      listing.classes.enumerated().map { "\($0)\t\($1)\n" }.joined()
    }
  }
}
