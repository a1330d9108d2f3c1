import ArgumentParser
import Packing
import Records
import Terminal

struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Show what a RecordIO file holds.",
    discussion: """
      Counts records, labels, formats and sizes from the headers; decodes no image.
      EXAMPLE: imrec info caltech-60-train.rec
      """)

  @Argument(help: "A .rec file.")
  var file: String
  @OptionGroup var output: OutputOptions

  func run() throws {
    let display = ProgressDisplay(unit: "records", quiet: output.quiet)
    let result = try info(file) { display.update($0) }
    display.finish()
    for warning in result.warnings { output.words.warn(warning) }
    try output.finish(result, skippedCount: 0) { text(result) }
  }

  private func text(_ info: RecordInfo) -> String {
    var lines = ["\(file): \(counted(info.records, "record")), \(byteText(info.bytes))"]
    func row(_ name: String, _ value: String) {
      lines.append("  " + name + String(repeating: " ", count: max(1, 16 - name.count)) + value)
    }
    guard info.records > 0 else { return lines[0] + "\n" }
    row("labels", "\(info.labels.count) distinct, \(info.labelWidth) per image\(range(info.labels))")
    if !info.encodings.isEmpty {
      row(
        "formats",
        info.encodings.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
      row("image bytes", "\(byteText(info.meanImageBytes)) on average")
    }
    if let smallest = info.smallest, let largest = info.largest {
      row("sizes", "\(smallest[0])x\(smallest[1]) to \(largest[0])x\(largest[1])")
    }
    if info.orientations > 0 { row("EXIF-rotated", "\(info.orientations)") }
    if info.labelRecords > 0 { row("label records", "\(info.labelRecords) with labels but no image") }
    let most = info.shortEdges.map(\.count).max() ?? 1
    if !info.shortEdges.isEmpty { lines.append("  short edge, pixels") }
    for bin in info.shortEdges {
      let name = "\(bin.from)-\(bin.below - 1)"
      let bar = String(repeating: "█", count: max(1, bin.count * 40 / max(1, most)))
      lines.append(
        "    " + String(repeating: " ", count: max(0, 11 - name.count)) + name + " \(bar) \(bin.count)")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func range(_ labels: [String: Int]) -> String {
    let counts = labels.values
    guard let least = counts.min(), let most = counts.max() else { return "" }
    return least == most ? ", \(least) images each" : ", \(least) to \(most) images each"
  }
}
