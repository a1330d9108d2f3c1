import ArgumentParser
import Encodings
import Files
import Packing
import Records
import Terminal

struct ConvertCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Turn class folders into training and validation records.",
    discussion: """
      Makes PREFIX-60-train.lst/.rec/.idx, PREFIX-60-val.lst/.rec/.idx,
      PREFIX-classes.txt (one name per line, in label order), PREFIX-report.json.
      EXAMPLE: imrec convert photos/ caltech --resize 256 --exclude '*clutter'
      """)

  @Argument(help: "A folder that holds one folder for each class.")
  var root: String
  @Argument(help: "What the names of the outputs begin with.")
  var prefix: String
  @OptionGroup(title: "Split (default: --per-class 60)") var splitting: SplitOptions
  @OptionGroup(title: "Packing") var packing: PackingOptions
  @OptionGroup(title: "Running") var jobs: JobOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run() async throws {
    let words = output.words
    let display = ProgressDisplay(unit: "images", quiet: output.quiet)
    let summary = try await convert(
      root: root, prefix: prefix, listing: splitting.options(perClassByDefault: 60, strict: packing.strict),
      packing: packing.options(jobs)
    ) { listing in
      let parts = listing.parts.map { "\($0.entries.count) \($0.key)" }.joined(separator: ", ")
      words.note(
        "\(counted(listing.imageCount, "image")) in \(listing.classes.count) \(listing.classes.count == 1 ? "class" : "classes"): \(parts)"
      )
      for note in listing.notes { words.note(printable(note)) }
    } progress: { name, progress in
      display.update(progress, label: name)
    }
    display.finish()
    for warning in summary.warnings { words.warn(printable(warning)) }
    words.skipped(summary.skipped)
    for (name, split) in summary.splits.sorted(by: { $0.key < $1.key }) {
      words.skipped(split.skipped)
      words.doubtful(split.doubtful)
      if let resumed = split.resumed, resumed > 0 {
        words.note("\(name): \(counted(resumed, "record")) kept from an earlier run")
      }
    }
    try output.finish(summary, skippedCount: summary.skippedCount) { text(summary) }
  }

  private func text(_ summary: ConvertSummary) -> String {
    var lines: [String] = []
    for (name, split) in summary.splits.sorted(by: { $0.key < $1.key }) {
      lines.append(
        "\(name): \(counted(split.records, "record")), \(byteText(split.bytes))"
          + (split.seconds.map { ", \(oneDecimal($0)) s" } ?? "")
          + (split.doubtful.isEmpty ? "" : ", \(split.doubtful.count) doubtful") + "  \(split.rec)")
    }
    lines.append("classes: \(summary.classes.count)  \(prefix)-classes.txt")
    if let report = summary.report { lines.append("report: \(report)") }
    if summary.skippedCount > 0 { lines.append("skipped: \(summary.skippedCount)") }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension ProgressDisplay {
  func update(_ progress: Progress, label: String = "") {
    update(
      done: progress.done, total: progress.total, skipped: progress.skipped, fraction: progress.fraction,
      label: label)
  }
}
