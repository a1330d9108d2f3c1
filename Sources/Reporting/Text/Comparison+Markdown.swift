public import Scoring

extension Comparison {
  private static let listedCount = 10
  private static let detailCount = 50

  /// The comparison as a comment on a pull request; as `Score.markdown`.
  public func markdown(limit: Int = MarkdownLimit.comment) -> String {
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
      ? "no difference" : mcnemar.exactP < 0.05 ? "**hardly chance**" : "could be chance"
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
    return writer.finish("`imrec compare --json`")
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
