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
      Exits 2 if images are left out, since a run did not score them or the runs
      disagree about their truth; 3 if B is worse than --fail-drop allows.
      Gates: top1, top5, macro_f1, balanced_accuracy, class:NAME.recall.
      EXAMPLE: imrec compare before.json after.json --fail-drop top1=0.01
      """)

  @Argument(help: "The earlier run: a file written by imrec score -o.")
  var a: String
  @Argument(help: "The later run.")
  var b: String
  @Option(
    name: [.short, .customLong("output")],
    help: ArgumentHelp("Everything, as JSON.", valueName: "comparison.json"))
  var output: String?
  @Option(help: ArgumentHelp("Exit 3 if a figure drops by more: top1=0.01", valueName: "gates"))
  var failDrop: [String] = []
  @OptionGroup var missing: MissingOptions
  @Option(help: ArgumentHelp("Of the bootstrap intervals.", valueName: "number"))
  var seed: UInt64 = 0
  @Option(help: ArgumentHelp("Where the images are, for the HTML: a folder or a .rec.", valueName: "root"))
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
    /// Images that one run or both could not score, and of these the ones that no run has an invalid output of.
    let notScored: Set<ByteName>
    let missing: Set<ByteName>
    var html: ComparisonReport { ComparisonReport(comparison, a: a, b: b) }
  }

  // Not to be inlined, nor is `finish`: the optimiser of Swift 6.3.1 crashes on a coroutine with all of these throws.
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
        .contradiction("\(path): it is no score.json, as imrec score -o writes it: \(error)"))
    }
    guard score.version == Score.currentVersion else {
      throw PackingError(
        .contradiction(
          "\(path): its schema is version \(score.version); version \(Score.currentVersion) is expected"))
    }
    if let image = score.predictions.firstOutside(classCount: score.classes.count) {
      throw PackingError(
        .contradiction(
          "\(path): \(image.path) has the labels \(image.truth) and \(image.predicted), and there are "
            + "\(score.classes.count) classes: the file was changed since imrec score wrote it"))
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

  /// Where the runs came from, and what neither of them could score.
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
      words.warn("joined: \(Terminal.printable(shortened(detail.value, to: 400)))")
    }
    words.listed("only in B", comparison.missingInA.map { ($0, "not scored in A, left out") })
    words.listed("only in A", comparison.missingInB.map { ($0, "not scored in B, left out") })
    words.listed(
      "truth differs", comparison.truthConflicts.map { ($0, "the runs give it different classes, left out") })
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
