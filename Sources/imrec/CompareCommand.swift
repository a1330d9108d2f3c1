import ArgumentParser
import Encodings
import Files
import Packing
import Records
import Reporting
import Scoring
import Terminal

struct CompareCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compare two scores: what changed, and could it be chance?",
    discussion: """
      Exits 2 if images are left out because one run did not score them or the runs
      disagree about their class, 3 if B is worse than --fail-drop allows.
      Gates: top1, top5, macro_f1, balanced_accuracy, class:NAME.recall.
      EXAMPLE: imrec compare before.json after.json --fail-drop top1=0.01
      """)

  @Argument(help: "The earlier run: a file written by imrec score -o.")
  var a: String
  @Argument(help: "The later run.")
  var b: String
  @Option(
    name: [.short, .customLong("output")],
    help: ArgumentHelp("Write everything as JSON.", valueName: "comparison.json"))
  var output: String?
  @Option(help: ArgumentHelp("Exit 3 if a figure drops by more than this: top1=0.01", valueName: "gates"))
  var failDrop: [String] = []
  @OptionGroup var missing: MissingOptions
  @Option(help: ArgumentHelp("Seed of the bootstrap intervals.", valueName: "number"))
  var seed: UInt64 = 0
  @Option(help: ArgumentHelp("The images for the HTML report: a folder or a .rec.", valueName: "root"))
  var images: String?
  @OptionGroup(title: "Reports") var reports: ReportOptions
  @OptionGroup(title: "Output") var results: OutputOptions

  func run() async throws {
    let work = try compare()
    var thumbnails = Thumbnails()
    if reports.html != nil, let source = try imageSource(images: images, truth: "") {
      thumbnails = try await reports.thumbnails(
        of: work.html.wantedImages, from: source, byteBudget: work.html.thumbnailByteBudget(),
        jobs: Imrec.coreCount, results.words)
    }
    try finish(work, thumbnails)
  }

  private struct Work {
    var comparison: Comparison
    let a: Score
    let b: Score
    /// Images that at least one run could not score; `missing` are those without an invalid output in either run.
    let notScored: Set<ByteName>
    let missing: Set<ByteName>
    var html: ComparisonReport { ComparisonReport(comparison, a: a, b: b) }
  }

  // `compare` and `finish` must not be inlined: the optimizer of Swift 6.3.1 crashes on a coroutine with so many
  // throws.
  @inline(never) private func compare() throws -> Work {
    try checkOutput(output, inputs: [a, b], verb: "compare")
    try reports.check(inputs: [a, b], outputs: [output], verb: "compare")
    if let images { try checkImages(images) }
    let (first, second) = (try read(a), try read(b))
    let gates = try gates(classes: first.classes.map(\.name) + second.classes.map(\.name))
    var comparison = Comparison(first, second, ComparisonOptions(seed: seed))
    guard comparison.images > 0 else {
      throw PackingError(.contradiction("\(a) and \(b) have no image in common with the same truth"))
    }
    let (lostA, lostB) = (lost(first), lost(second))
    let neither = lostA.intersection(lostB)
    comparison.details = details(first, second, neither: neither.count) + comparison.details
    comparison.gates = comparison.evaluate(gates)
    let notScored = neither.union((comparison.missingInA + comparison.missingInB).map { ByteName($0) })
    let invalid = Set((first.invalid + second.invalid).map { ByteName($0.path) })
    return Work(
      comparison: comparison, a: first, b: second, notScored: notScored,
      missing: notScored.subtracting(invalid))
  }

  @inline(never) private func finish(_ work: Work, _ thumbnails: Thumbnails) throws {
    if let output { try writeStaged(output) { sink in try work.comparison.writeJSON(sink) } }
    try reports.write(work.comparison, of: work.a, work.b, thumbnails, results.words)
    try report(work)
  }

  private func read(_ path: String) throws -> Score {
    let bytes = try readFile(path).bytes
    let score: Score
    do throws(JSONError) {
      score = try JSON.decode(Score.self, from: bytes)
    } catch {
      throw PackingError(
        .contradiction("\(path): not a score.json written by imrec score -o: \(error)"))
    }
    guard score.version == Score.currentVersion else {
      throw PackingError(
        .contradiction(
          "\(path): the schema version is \(score.version); version \(Score.currentVersion) is expected"))
    }
    if let image = score.predictions.firstOutside(classCount: score.classes.count) {
      throw PackingError(
        .contradiction(
          "\(path): \(image.path) has the labels \(image.truth) and \(image.predicted), but there are only "
            + "\(score.classes.count) classes: the file was modified after imrec score wrote it"))
    }
    return score
  }

  private func gates(classes: [String]) throws -> [Gate] {
    try parsedGates(failDrop, of: "--fail-drop", verb: "compare") { (text) throws(ScoringError) in
      try Gate.parseDrops(text, classes: classes)
    }
  }

  private func lost(_ score: Score) -> Set<ByteName> {
    Set((score.missing + score.invalid.map(\.path)).map { ByteName($0) })
  }

  /// The files of the runs, and how many images neither run could score.
  private func details(_ first: Score, _ second: Score, neither: Int) -> [Detail] {
    var details = [Detail("A", a), Detail("B", b)]
    if neither > 0 {
      details.append(Detail("in neither", "\(counted(neither, "image")) missing or invalid in both"))
    }
    return details
  }

  private func report(_ work: Work) throws {
    let comparison = work.comparison
    let words = results.words
    for detail in comparison.details where detail.name == Comparison.joinedName {
      words.warn("joined: \(printable(shortened(detail.value, to: 400)))")
    }
    words.listed("only in B", comparison.missingInA.map { ($0, "not scored in A; left out") })
    words.listed("only in A", comparison.missingInB.map { ($0, "not scored in B; left out") })
    words.listed(
      "truth differs",
      comparison.truthConflicts.map { ($0, "its true class differs between the runs; left out") })
    if results.json {
      try comparison.writeJSON { chunk in
        guard writeToOutput(String(decoding: chunk, as: UTF8.self)) else { throw OutputClosed() }
      }
    } else {
      guard writeToOutput(CompareText(comparison, output: output).text) else { throw OutputClosed() }
    }
    words.failedGates(comparison.gates) { _ in "a drop of at most" }
    if comparison.gates.contains(where: { !$0.passed }) { throw ExitCode(ExitStatus.gateFailed) }
    if !comparison.truthConflicts.isEmpty || work.missing.count > missing.allowed
      || work.notScored.count > work.missing.count
    {
      throw ExitCode(ExitStatus.someSkipped)
    }
  }
}

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
