public import Scoring

/// Limits of code hosting sites for one comment.
public enum MarkdownLimit {
  /// GitHub's limit, in characters.
  public static let comment = 65_536
}

extension Score {
  private static let listedCount = 10
  private static let detailCount = 50

  /// The score as a comment on a pull request, in GitHub's Markdown: figures, gates, the worst classes, the most
  /// frequent confusions, the account of the inputs; more of it folded away.
  ///
  /// - Parameters:
  ///   - limit: the byte count of UTF-8 that the text has at most, 8,000 or more. Longer text is cut at whole rows.
  ///   - source: where the reader finds everything if the text was cut, as Markdown.
  public func markdown(
    limit: Int = MarkdownLimit.comment, source: String = "the JSON of the run"
  ) -> String {
    var writer = MarkdownWriter(limit: limit)
    writer.add("<!-- imrec score -->")
    writer.add(top1.map { "## Accuracy \(percentText($0.value))" } ?? "## Accuracy: nothing was scored")
    writer.addGates(gates, isDrop: false)
    writer.add("\n\(inputTroubles.isEmpty ? "" : "⚠️ ")\(inputSentence).")
    addFigures(to: &writer)
    addWorstClasses(to: &writer)
    addPairs(to: &writer)
    addTroubles(to: &writer)
    addImages(to: &writer)
    addNotes(to: &writer)
    addClasses(to: &writer)
    return writer.finish(source: source)
  }

  private func addFigures(to writer: inout MarkdownWriter) {
    let columns: [(name: String, alignment: MarkdownWriter.Alignment)] = [
      ("Figure", .left), ("Value", .right), ("95 % interval", .right),
    ]
    func share(_ name: String, _ value: Double?, _ interval: Estimate?) -> [String]? {
      value.map { [name, percentText($0), interval.map(intervalText) ?? ""] }
    }
    func number(_ name: String, _ value: Double?) -> [String]? {
      value.map { [name, decimalText($0, 4), ""] }
    }
    let main = [
      share("Top-1", top1?.value, top1), share("Top-5", top5?.value, top5),
      share("Macro F1", macro?.f1, bootstrap?.macroF1),
      share("Balanced accuracy", balancedAccuracy, bootstrap?.balancedAccuracy), number("Log-loss", logLoss),
      number("Calibration error (ECE)", ece),
    ].compactMap { $0 }
    writer.addTable(nil, columns, rows: main, of: main.count)
    let more = [
      share("Top-2", top2?.value, top2), share("Top-3", top3?.value, top3),
      share("Top-10", top10?.value, top10),
      share("Macro precision", macro?.precision, bootstrap?.macroPrecision),
      share("Macro recall", macro?.recall, bootstrap?.macroRecall),
      share("Weighted precision", weighted?.precision, nil), share("Weighted recall", weighted?.recall, nil),
      share("Weighted F1", weighted?.f1, nil), number("Cohen's kappa", kappa),
      number("Matthews correlation (MCC)", mcc), number("Brier score", brier),
      number("Largest calibration error (MCE)", calibration?.mce),
      number("Temperature that fits best", calibration?.temperature?.value),
    ].compactMap { $0 }
    if more.isEmpty { return }
    writer.addDetails("More figures") { writer in writer.addTable(nil, columns, rows: more, of: more.count) }
  }

  private func addWorstClasses(to writer: inout MarkdownWriter) {
    let classes = worstClasses
    guard classes.count > 1, errors > 0 else { return }
    let shown = classes.prefix(Self.listedCount)
    writer.addTable(
      shown.count < classes.count
        ? "### Worst classes of \(groupedText(classes.count))"
        : "### The \(classes.count) classes, the worst first", Self.classColumns,
      rows: shown.lazy.map(classRow),
      of: shown.count)
  }

  private static let classColumns: [(name: String, alignment: MarkdownWriter.Alignment)] = [
    ("Class", .left), ("Recall", .right), ("95 % interval", .right), ("Precision", .right),
    ("Images", .right),
    ("Most often mistaken for", .left),
  ]

  private func classRow(_ item: ClassScore) -> [String] {
    let most = mostMistakenFor(item.label)
    return [
      markdownCode(item.name), percentText(item.recall.value), intervalText(item.recall),
      percentText(item.precision), groupedText(item.support),
      most.map { "\(markdownCode(name($0.predicted))) (\(groupedText($0.count)))" } ?? "",
    ]
  }

  private func addPairs(to writer: inout MarkdownWriter) {
    let shown = pairs.prefix(Self.listedCount)
    writer.addTable(
      shown.count < pairCount
        ? "### Most frequent confusions, of \(counted(errors, "error"))"
        : "### Confusions, of \(counted(errors, "error"))",
      [
        ("Images", .right), ("Of all errors", .right), ("Class", .left), ("mistaken for", .left),
        ("this way", .right),
        ("the other way", .right),
      ],
      rows: shown.lazy.map { pair in
        let (truth, predicted, there, back) =
          pair.aAsB >= pair.bAsA
          ? (pair.a, pair.b, pair.aAsB, pair.bAsA) : (pair.b, pair.a, pair.bAsA, pair.aAsB)
        return [
          groupedText(pair.count), percentText(pair.share), markdownCode(name(truth)),
          markdownCode(name(predicted)), groupedText(there), groupedText(back),
        ]
      }, of: shown.count)
  }

  private func addTroubles(to writer: inout MarkdownWriter) {
    let troubles = inputTroubles
    if troubles.isEmpty { return }
    writer.addDetails("Inputs that do not count: \(groupedText(troubles.count))") { writer in
      writer.addTable(
        nil, [("", .left), ("Path", .left), ("Reason", .left)],
        rows: troubles.prefix(Self.detailCount).lazy.map {
          [$0.status, markdownCode($0.path, to: 120), markdownCode($0.reason, to: 200)]
        }, of: troubles.count)
    }
  }

  private func addImages(to writer: inout MarkdownWriter) {
    if let confidentErrors, !confidentErrors.isEmpty {
      writer.addDetails("Errors of highest confidence") { writer in
        let shown = confidentErrors.prefix(Self.detailCount / 2)
        writer.addTable(
          nil, [("Image", .left), ("Class", .left), ("Predicted", .left), ("Confidence", .right)],
          rows: shown.lazy.map {
            [
              markdownCode($0.path, to: 120), markdownCode(name($0.truth)), markdownCode(name($0.predicted)),
              percentText($0.confidence),
            ]
          }, of: shown.count)
      }
    }
    if let labelIssues, labelIssues.count > 0 {
      writer.addDetails("Labels that the model doubts: \(groupedText(labelIssues.count))") { writer in
        writer.addTable(
          nil, [("Image", .left), ("Label", .left), ("Suggested", .left), ("Confidence", .right)],
          rows: labelIssues.images.prefix(Self.detailCount / 2).lazy.map {
            [
              markdownCode($0.path, to: 120), markdownCode(name($0.label)), markdownCode(name($0.suggested)),
              percentText($0.confidence),
            ]
          }, of: labelIssues.count)
      }
    }
  }

  private func addNotes(to writer: inout MarkdownWriter) {
    var notes = details.map { ($0.name, $0.value) }
    if unnormalised > 0 {
      notes.append(("Unnormalised", "\(counted(unnormalised, "output")) whose sum is not 1"))
    }
    if ties > 0 { notes.append(("Ties", "\(groupedText(ties)), won by the lowest label")) }
    if hardLabels > 0 {
      notes.append(("Labels only", "\(counted(hardLabels, "output")) without probabilities"))
    }
    for omission in omitted { notes.append(("Left out: \(omission.metric)", omission.reason)) }
    writer.addNotes(notes)
  }

  private func addClasses(to writer: inout MarkdownWriter) {
    let classes = worstClasses
    guard classes.count > Self.listedCount else { return }
    writer.addDetails("All classes, by recall") { writer in
      writer.addTable(nil, Self.classColumns, rows: classes.lazy.map(classRow), of: classes.count)
    }
  }
}

extension MarkdownWriter {
  private static let gateCount = 50

  /// Adds how the gates ended, failed ones first.
  mutating func addGates(_ gates: [GateResult], isDrop: Bool) {
    if gates.isEmpty { return }
    let failed = gates.filter { !$0.passed }
    add(
      failed.isEmpty
        ? "\n✅ **PASSED**: \(gates.count == 1 ? "the gate is" : "all \(gates.count) gates are") met."
        : "\n❌ **FAILED**: \(failed.count) of \(gates.count) gates \(failed.count == 1 ? "is" : "are") not met."
    )
    let shown = (failed + gates.filter(\.passed)).prefix(Self.gateCount)
    addTable(
      nil, [("", .left), ("Gate", .left), (isDrop ? "Drop" : "Value", .right), ("Asked for", .right)],
      rows: shown.lazy.map { gate in
        [
          gate.passed ? "✅ passed" : "❌ **FAILED**", markdownCode(gate.gate, to: 120),
          gate.roundedText, gate.bound(isDrop: isDrop),
        ]
      }, of: gates.count)
  }

  /// Adds facts about the run, folded away.
  mutating func addNotes(_ notes: [(name: String, value: String)]) {
    if notes.isEmpty { return }
    addDetails("About this run") { writer in
      writer.addTable(
        nil, [("", .left), ("", .left)],
        rows: notes.prefix(Self.gateCount).lazy.map {
          [markdownCode($0.name, to: 120), markdownCode($0.value, to: 200)]
        }, of: notes.count)
    }
  }
}

extension Comparison {
  private static let listedCount = 10
  private static let detailCount = 50

  /// The comparison as a comment on a pull request, as `Score.markdown`.
  public func markdown(
    limit: Int = MarkdownLimit.comment, source: String = "the JSON of the comparison"
  ) -> String {
    var writer = MarkdownWriter(limit: limit)
    writer.add("<!-- imrec compare -->")
    writer.add(
      top1Difference.map { "## Accuracy \(pointsText($0.value)) points" } ?? "## Nothing to compare")
    writer.addGates(gates, isDrop: true)
    writer.add(
      "\n\(counted(images, "image")) scored by both runs; \(groupedText(missingInA.count)) not by A, "
        + "\(groupedText(missingInB.count)) not by B, \(groupedText(truthConflicts.count)) with different truths."
    )
    addFigures(to: &writer)
    let verdict =
      onlyARight == onlyBRight
      ? "no difference" : mcnemar.exactP < 0.05 ? "**unlikely to be chance**" : "could be chance"
    writer.add(
      "\nBoth right \(groupedText(bothRight)), only A \(groupedText(onlyARight)), only B \(groupedText(onlyBRight)), "
        + "both wrong \(groupedText(bothWrong)). McNemar's exact test: p \(Self.equation(mcnemar.exactP)), \(verdict)."
    )
    addClasses(to: &writer)
    for (kind, title) in [
      (Flip.Kind.broken, "Broken: right in A, wrong in B"), (.fixed, "Fixed: wrong in A, right in B"),
    ] { addFlips(kind, title, to: &writer) }
    addLeftOut(to: &writer)
    writer.addNotes(details.map { ($0.name, $0.value) })
    return writer.finish(source: source)
  }

  private static func equation(_ p: Double) -> String {
    p < 0.0001 ? probabilityText(p) : "= \(probabilityText(p))"
  }

  private func addFigures(to writer: inout MarkdownWriter) {
    let figures: [(String, Double?, Double?, Estimate?)] = [
      ("Top-1", a.top1?.value, b.top1?.value, top1Difference), ("Top-5", a.top5?.value, b.top5?.value, nil),
      ("Macro F1", a.macroF1, b.macroF1, macroF1Difference),
      ("Balanced accuracy", a.balancedAccuracy, b.balancedAccuracy, nil),
    ]
    let rows = figures.compactMap { name, before, after, difference -> [String]? in
      guard let before, let after else { return nil }
      return [
        name, percentText(before), percentText(after), pointsText(difference?.value ?? after - before),
        difference.map { "\(pointsText($0.low)) to \(pointsText($0.high))" } ?? "",
      ]
    }
    writer.addTable(
      nil,
      [
        ("Figure", .left), ("A", .right), ("B", .right), ("B − A, points", .right), ("95 % interval", .right),
      ],
      rows: rows, of: rows.count)
  }

  private func addClasses(to writer: inout MarkdownWriter) {
    let shown = changedClasses.prefix(Self.listedCount)
    writer.addTable(
      "### Classes whose recall changed most",
      [
        ("Class", .left), ("A", .right), ("B", .right), ("Points", .right), ("Images", .right),
        ("q (Benjamini-Hochberg)", .right),
      ],
      rows: shown.lazy.map { item in
        [
          markdownCode(item.name), percentText(item.recallA.value), percentText(item.recallB.value),
          pointsText(item.difference), groupedText(item.support), item.q.map(probabilityText) ?? "",
        ]
      }, of: shown.count)
  }

  private func addFlips(_ kind: Flip.Kind, _ title: String, to writer: inout MarkdownWriter) {
    let flips = flips.filter { $0.kind == kind }
    if flips.isEmpty { return }
    writer.addDetails("\(title): \(groupedText(flips.count))") { writer in
      writer.addTable(
        nil, [("Image", .left), ("Class", .left), ("A", .left), ("B", .left)],
        rows: flips.prefix(Self.detailCount).lazy.map {
          [
            markdownCode($0.path, to: 120), markdownCode(name($0.truth)), markdownCode(name($0.a)),
            markdownCode(name($0.b)),
          ]
        }, of: flips.count)
    }
  }

  private func addLeftOut(to writer: inout MarkdownWriter) {
    let paths =
      missingInA.map { ("not scored by A", $0) } + missingInB.map { ("not scored by B", $0) }
      + truthConflicts.map { ("different truths", $0) }
    if paths.isEmpty { return }
    writer.addDetails("Images left out: \(groupedText(paths.count))") { writer in
      writer.addTable(
        nil, [("", .left), ("Image", .left)],
        rows: paths.prefix(Self.detailCount).lazy.map { [$0, markdownCode($1, to: 120)] }, of: paths.count)
    }
  }
}
