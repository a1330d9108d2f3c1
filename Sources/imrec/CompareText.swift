import Reporting
import Scoring
import Terminal

/// The terminal text of a comparison: which run is better, whether the difference could be chance, what changed, and
/// the gates.
struct CompareText {
  private static let listedCount = 10
  private(set) var text = ""
  private let comparison: Comparison
  private let style: TextStyle

  init(_ comparison: Comparison, output: String?, style: TextStyle = TextStyle()) {
    self.comparison = comparison
    self.style = style
    addHeadline()
    for detail in comparison.details { row(detail.name, printable(shortened(detail.value))) }
    row("images", "\(groupedText(comparison.images)) scored by both, with the same truth")
    addLeftOut()
    addFigures()
    addClasses()
    addFlips()
    if !comparison.gates.isEmpty {
      line("\n" + style.heading("Gates") + style.quiet("   the largest allowed drops from A to B"))
      for gate in comparison.gates { line(dropLine(gate)) }
    }
    if let output { line("\nwritten: \(printable(output))") }
  }

  private mutating func addHeadline() {
    guard let difference = comparison.top1Difference else { return }
    let p = comparison.mcnemar.exactP
    if comparison.onlyARight == comparison.onlyBRight {
      return line(style.heading("Top-1 accuracy: A and B are equal") + "\n")
    }
    let size = abs(difference.value)
    let points = size < 0.001 ? "less than 0.1 points" : "\(decimalText(100 * size, 1)) points"
    let verdict = "B is \(points) \(comparison.onlyBRight > comparison.onlyARight ? "better" : "worse")"
    line(
      style.heading("Top-1 accuracy: \(verdict)") + " (\(named("p", p)): "
        + "\(p < 0.05 ? "unlikely to be chance" : "could be chance"))\n")
  }

  private mutating func addLeftOut() {
    for (name, paths, words) in [
      ("only in A", comparison.missingInB, "not scored in B; left out"),
      ("only in B", comparison.missingInA, "not scored in A; left out"),
      ("truth differs", comparison.truthConflicts, "with different true classes in A and B; left out"),
    ] where !paths.isEmpty { row(name, "\(counted(paths.count, "image")) \(words)") }
  }

  private mutating func addFigures() {
    line(
      "\n" + style.heading(padded("Figures", 16)) + style.quiet("      A         B     B - A, 95 % interval"))
    figure("top-1", comparison.a.top1?.value, comparison.b.top1?.value, comparison.top1Difference)
    figure("top-5", comparison.a.top5?.value, comparison.b.top5?.value, nil)
    figure("macro F1", comparison.a.macroF1, comparison.b.macroF1, comparison.macroF1Difference)
    figure("balanced", comparison.a.balancedAccuracy, comparison.b.balancedAccuracy, nil)
    line("")
    row(
      "correct",
      "both \(groupedText(comparison.bothRight)), only A \(groupedText(comparison.onlyARight)), "
        + "only B \(groupedText(comparison.onlyBRight)), neither \(groupedText(comparison.bothWrong))")
    row(
      "McNemar",
      "\(named("exact p", comparison.mcnemar.exactP)), \(named("mid-p", comparison.mcnemar.midP)), over "
        + counted(comparison.mcnemar.discordant, "image"))
  }

  private mutating func figure(_ name: String, _ a: Double?, _ b: Double?, _ difference: Estimate?) {
    guard let a, let b else { return }
    let change =
      difference.map { "\(signed($0.value))   \(signed($0.low)) to \(signed($0.high))" } ?? signed(b - a)
    row(name, "\(percent(a))   \(percent(b))   \(change)")
  }

  private mutating func addClasses() {
    let changed = comparison.classes.filter { $0.support > 0 && $0.difference != 0 }
      .sorted { (-abs($0.difference), $0.label) < (-abs($1.difference), $1.label) }
    guard !changed.isEmpty else { return }
    let sure = comparison.classes.count { $0.q ?? 1 < 0.05 }
    let width = min(48, style.width - 46)
    line(
      "\n" + style.heading(padded("Classes whose recall changed most", width + 2))
        + style.quiet("      A         B   images   q"))
    for item in changed.prefix(Self.listedCount) {
      line(
        "  \(padded(cell(item.name, width), width)) \(percent(item.recallA.value))   \(percent(item.recallB.value))   "
          + "\(leftPadded("\(item.support)", 6))   \(item.q.map { probability($0) } ?? "")")
    }
    line(
      style.quiet(
        "  \(groupedText(changed.count)) of \(groupedText(comparison.classes.count)) classes changed, \(groupedText(sure)) significantly (q < 0.05, Benjamini-Hochberg)"
      ))
  }

  private mutating func addFlips() {
    var counts: [Flip.Kind: Int] = [:]
    for flip in comparison.flips { counts[flip.kind, default: 0] += 1 }
    line(
      "\n" + style.heading("\(counted(comparison.flips.count, "image")) changed")
        + ": \(counts[.fixed] ?? 0) fixed, \(counts[.broken] ?? 0) broken, "
        + "\(counts[.changed] ?? 0) still wrong, but differently")
    let width = (style.width - 16) / 2
    let classWidth = (style.width - width - 18) / 2
    for flip in comparison.flips.filter({ $0.kind == .broken }).prefix(Self.listedCount) {
      line(
        "  broken  \(padded(cell(flip.path, width), width))  \(cell(name(flip.a), classWidth)) → \(cell(name(flip.b), classWidth))"
      )
    }
  }

  private func dropLine(_ gate: GateResult) -> String {
    let change =
      gate.value.map {
        $0 == 0 ? "unchanged" : ($0 > 0 ? "drops by " : "rises by ") + decimalText(abs($0), 4)
      } ?? "not computed"
    return
      "  \(gate.passed ? style.good("passed") : style.bad("FAILED"))   \(cell(gate.gate, style.width - 50)): "
      + "\(change); a drop of \(gate.threshold) is allowed"
  }

  private func name(_ label: Int) -> String {
    comparison.classes.indices.contains(label) ? comparison.classes[label].name : "\(label)"
  }

  private func signed(_ value: Double) -> String { (value < 0 ? "" : "+") + decimalText(100 * value, 1) }

  /// "p = 0.0123", or "p < 0.0001".
  private func named(_ name: String, _ value: Double) -> String {
    "\(name) \(value < 0.0001 ? "" : "= ")\(probability(value))"
  }

  private func probability(_ value: Double) -> String { value < 0.0001 ? "< 0.0001" : decimalText(value, 4) }

  private mutating func row(_ name: String, _ value: String) { line("  \(padded(name, 13)) \(value)") }

  private mutating func line(_ line: String) { text += line + "\n" }
}
