import ArgumentParser
import Files
import Packing
import Records
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

/// Reads a file of class names: one per line, in label order.
///
/// - Throws: `FileError` if the file cannot be read; `PackingError` if it is empty or not UTF-8, or a name is
///   repeated or cannot be the name of a folder.
func readClassNames(_ path: String) throws -> [String] {
  let bytes = try readFile(path, limit: 1 << 26).bytes
  let names = try nameLines(bytes).map { line in
    guard let name = String(validating: line, as: UTF8.self) else {
      throw PackingError(.contradiction("\(path): not UTF-8 text; one class name per line is expected"))
    }
    return name
  }
  if names.isEmpty { throw PackingError(.contradiction("\(path): the file names no class")) }
  var lines: [ByteName: Int] = [:]
  for (index, name) in names.enumerated() {
    if let former = lines.updateValue(index + 1, forKey: ByteName(name)) {
      throw PackingError(
        .contradiction("\(path): line \(index + 1): '\(name)' repeats the name in line \(former)"))
    }
    guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")) else {
      throw PackingError(.contradiction("\(path): line \(index + 1): '\(name)' cannot name a folder"))
    }
  }
  return names
}
