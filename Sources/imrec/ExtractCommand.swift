import ArgumentParser
import Files
import Packing
import Terminal

struct ExtractCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extract",
    abstract: "Turn records back into image files, one folder per label.",
    discussion: """
      Writes DIR/<label>/<id>.jpg (or .png) and a list that packs them again.
      EXAMPLE: imrec extract train.rec images/ --classes caltech-classes.txt
      """)

  @Argument(help: "A .rec file.")
  var file: String
  @Argument(help: "An empty or new folder.")
  var folder: String
  @Option(help: ArgumentHelp("Class names for the folders, one per line, from label 0.", valueName: "file"))
  var classes: String?
  @Flag(help: "Write into a folder that is not empty, and overwrite files.")
  var overwrite = false
  @OptionGroup var output: OutputOptions

  func run() throws {
    let names = try classes.map { try readClassNames($0) } ?? []
    let display = ProgressDisplay(unit: "images", quiet: output.quiet)
    let result = try extract(file, to: folder, classes: names, overwrite: overwrite) { display.update($0) }
    display.finish()
    output.words.skipped(result.skipped)
    try output.finish(result, skippedCount: result.skipped.count) {
      var text =
        "\(folder): \(counted(result.images, "image")) in \(counted(result.folders, "folder")), \(byteText(result.bytes))"
      if result.labelRecords > 0 { text += "; \(result.labelRecords) records have labels but no image" }
      return text + "\nlist: \(result.list)\n"
    }
  }
}
