import ArgumentParser
import Files
import Packing
import Records
import Terminal

struct VerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check a RecordIO file, and salvage its intact records.",
    discussion: """
      Checks every frame, header and index entry, and decodes every image completely.
      Exits 2 if anything is bad. Doubtful images are reported, but count as intact.
      EXAMPLE: imrec verify train.rec --salvage train-whole.rec
      """)

  @Argument(help: "A .rec file; the .idx beside it is checked too, if there is one.")
  var file: String
  @Option(help: ArgumentHelp("Write the intact records here, with an .idx.", valueName: "out.rec"))
  var salvage: String?
  @Flag(name: .customLong("index"), help: "Rebuild the .idx from the records.")
  var rebuildsIndex = false
  @Flag(help: "Damaged images that decode in part are doubtful, not bad.")
  var keepDamaged = false
  @OptionGroup(title: "Running") var jobs: JobOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    if let salvage, hasSameBytes(salvage, file) {
      throw ValidationError("--salvage needs another name than the input")
    }
  }

  func run() async throws {
    var options = VerifyOptions()
    options.jobs = jobs.jobs.count
    options.maximumPixelCount = jobs.maximumPixelCount
    options.keepDamaged = keepDamaged
    options.salvage = salvage
    options.rebuildsIndex = rebuildsIndex
    let display = ProgressDisplay(unit: "records", quiet: output.quiet)
    let result = try await verify(file, options: options) { display.update($0) }
    display.finish()
    try output.finish(result, skippedCount: result.bad.count) { text(result) }
  }

  private func text(_ result: Verification) -> String {
    var lines = list("bad", result.bad) + list("doubtful", result.doubtful)
    var last = "\(file): \(counted(result.records, "record")), \(result.ok) intact, \(result.bad.count) bad"
    if result.records == 0 && !result.bad.isEmpty {
      last = "\(file): not a RecordIO file: it contains no record"
    }
    if !result.doubtful.isEmpty { last += ", \(result.doubtful.count) doubtful" }
    if result.labelRecords > 0 { last += ", \(result.labelRecords) with labels but no image" }
    last +=
      result.indexEntries.map { ", \($0) index entries" }
      ?? (rebuildsIndex ? ", index rebuilt" : ", no index")
    if let remedy = sizeRemedy(result.bad.map(\.reason)) { lines.append(remedy) }
    lines.append(last)
    if let salvage {
      lines.append(
        result.ok == 0
          ? "\(salvage): not written, because no record is intact"
          : "\(salvage): \(counted(result.ok, "intact record"))")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A line for each of the first items, and one for the number of the others.
  private func list(_ kind: String, _ items: [Verification.Bad]) -> [String] {
    var lines = items.prefix(200).map { item in
      "\(kind): byte \(item.offset)\(item.id.map { ", id \($0)" } ?? ""): \(item.reason)"
    }
    if items.count > lines.count {
      lines.append("\(kind): \(items.count - lines.count) more; --json lists them")
    }
    return lines
  }
}
