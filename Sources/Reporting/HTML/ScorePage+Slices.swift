import Files
import Scoring

extension ScorePage {
  var slices: Section? {
    guard !score.slices.isEmpty else { return nil }
    var blocks: [Node?] = []
    var names: [String] = []
    for slice in score.slices where !names.contains(where: { hasSameBytes($0, slice.attribute) }) {
      names.append(slice.attribute)
    }
    for (index, name) in names.prefix(60).enumerated() {
      var table = Table(
        "slice-\(index)", "Accuracy by \(clipped(name, to: 80))", text: ["Part"],
        numbers: ["Images", "Right", "Accuracy", "95 % interval"])
      for slice in score.slices where hasSameBytes(slice.attribute, name) {
        table.add([
          sliceHead(slice), Cell.number(slice.count), Cell.number(slice.correct),
          Cell.percent(slice.top1.value), Cell.interval(slice.top1),
        ])
      }
      blocks.append(Block.table(table))
    }
    if names.count > 60 {
      blocks.append(Block.note("\(names.count - 60) more attributes; the JSON of the run has them."))
    }
    return Section("slices", "Slices", lead: sliceSentence, blocks)
  }

  private func sliceHead(_ slice: Slice) -> Node {
    switch slice.kind {
    case .value: return Cell.long(slice.value, limit: 60, isHead: true)
    case .quantile:
      guard let low = slice.low, let high = slice.high else { return head(slice.value) }
      return head("\(short(low))\u{A0}to\u{A0}\(short(high))")
    case .other: return head("all rarer values")
    case .missing: return head("not given")
    }
  }

  /// A bound as people write it.
  private func short(_ value: Double) -> String {
    value == value.rounded() ? decimal(value, 0) : abs(value) >= 100 ? decimal(value, 1) : decimal(value, 3)
  }

  private var sliceSentence: String {
    let all = score.top1
    let low = score.slices.filter { slice in all.map { slice.top1.high < $0.low } ?? false }
    guard let worst = low.min(by: { $0.top1.value < $1.top1.value }) else {
      return "Parts of the images by their attributes. None stands out below the whole."
    }
    let part =
      worst.kind == .value
      ? " = \(clipped(worst.value, to: 60))"
      : worst.low.flatMap { low in worst.high.map { " \(short(low)) to \(short($0))" } } ?? ""
    return
      "Parts of the images by their attributes. Weakest: \(clipped(worst.attribute, to: 60))\(part), "
      + "\(percent(worst.top1.value, 1)) on \(counted(worst.count, "image"))."
  }

  /// Where it all comes from, and how it was computed.
  var about: Section {
    var facts = Table("facts-table", "This run", text: ["Fact", "Value"])
    for detail in score.details {
      facts.add([Cell.long(detail.name, isHead: true), Cell.long(detail.value, limit: 160)])
    }
    facts.add([head("Schema of the JSON"), Cell.text("version \(score.version)")])
    if let bootstrap = score.bootstrap {
      facts.add([
        head("Bootstrap"),
        Cell.text("\(whole(bootstrap.draws)) draws within the classes, seed \(bootstrap.seed)"),
      ])
    }
    var terms = Table("terms-table", "What the words mean", text: ["Word", "Meaning"])
    for (word, meaning) in Self.terms { terms.add([head(word), Cell.text(meaning)]) }
    return Section("about", "About this report", [Block.table(facts), Block.table(terms)])
  }

  private static let terms = [
    (
      "Top-k accuracy",
      "Share of the images whose true class is among the k most probable. Ties go to the lowest label."
    ),
    ("Recall", "Share of the images of a class that are predicted as it."),
    ("Precision", "Share of the images predicted as a class that are of it."),
    ("F1", "Harmonic mean of precision and recall; 0 where both are."),
    (
      "Macro, micro, weighted",
      "Mean over the classes of the list; over all images; over the classes by their images."
    ),
    ("Balanced accuracy", "Mean recall over the classes that occur."),
    (
      "Average precision", "Mean precision over the recall of one class against the rest, by its probability."
    ),
    (
      "95 % interval",
      "Wilson's score interval for shares of images; 2.5 and 97.5 percentiles of the bootstrap for averages."
    ),
    (
      "Calibration error",
      "Mean distance between confidence and accuracy over bins of confidence, weighted by images."
    ),
    (
      "Label issue",
      "An image whose label confident learning doubts; it needs predictions of a model that did not learn the image."
    ),
  ]
}
