import ArgumentParser
import Encodings
import Files
import Predictions
import Records
import Reporting
import Scoring
import Terminal

struct ScoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Score the outputs of a batch transform against the truth.",
    discussion: """
      Exits 2 if an output is invalid, missing or unexpected, 3 if a gate fails,
      1 if nothing is scored. Nothing is left out silently.
      Gates: top1, top5, macro_f1, balanced_accuracy, log_loss (at most), ... and
      class:NAME.recall.
      EXAMPLE: imrec score outputs/ --truth val.lst --classes classes.txt \\
               -o score.json --fail-under top1=0.8
      """)

  @Argument(
    help:
      "A folder of <name>.out files, as batch transform writes them, or a file: JSON lines, a JSON array, a CSV."
  )
  var outputs: String
  @Option(help: "A .lst, a .rec, a folder of class folders, a CSV or JSON lines: paths and labels.")
  var truth: String
  @Option(
    help: ArgumentHelp(
      "Class names, one per line, in label order. (default: those of the truth)", valueName: "file"))
  var classes: String?
  @Option(
    help: ArgumentHelp("The column of the truth that names the image. (default: detected)", valueName: "name")
  )
  var imageColumn: String?
  @Option(
    help: ArgumentHelp("The column of the truth that holds the label. (default: detected)", valueName: "name")
  )
  var labelColumn: String?
  @Option(
    name: [.short, .customLong("output")],
    help: ArgumentHelp("Write everything as JSON.", valueName: "score.json")
  )
  var output: String?
  @Option(
    help: ArgumentHelp(
      "The images: a folder (adds slices by size, aspect and greyness) or a .rec.", valueName: "root"))
  var images: String?
  @Option(
    help: ArgumentHelp(
      "A table of classes and their groups. (default: groups from clustering)", valueName: "file"))
  var groups: String?
  @Option(
    help: ArgumentHelp(
      "Exit 3 if a figure is worse than this: top1=0.8,class:bathtub.recall=0.5", valueName: "gates"))
  var failUnder: [String] = []
  @OptionGroup var missing: MissingOptions
  @Option(help: ArgumentHelp("Seed of the bootstrap intervals.", valueName: "number"))
  var seed: UInt64 = 0
  @OptionGroup var jobs: JobCount
  @OptionGroup(title: "Reports") var reports: ReportOptions
  @OptionGroup(title: "Output") var results: OutputOptions

  func run() async throws {
    try checkOutput(output, inputs: [outputs, truth, classes, groups], verb: "score")
    try reports.check(inputs: [outputs, truth, classes, groups], outputs: [output], verb: "score")
    if let images { try checkImages(images) }
    let columns = TruthColumns(image: imageColumn, label: labelColumn)
    var run = try ScoringRun(outputs: outputs, truth: truth, classes: classes, columns: columns)
    let gates = try gates(classes: run.plan.classes.names)
    var options = ScoringOptions()
    options.jobs = jobs.count
    options.images = images.flatMap { isFolder($0) ? $0 : nil }
    options.score.seed = seed
    options.score.groups = try groups.map { try readClassGroups($0, of: run.plan.classes) }

    let display = ProgressDisplay(unit: "outputs", quiet: results.quiet)
    var score = try await run.score(options) { display.update($0) }
    display.finish()
    score.details = details(run)
    score.gates = score.evaluate(gates)
    var thumbnails = Thumbnails()
    if reports.html != nil, let source = try imageSource(images: images, truth: truth) {
      let report = ScoreReport(score)
      thumbnails = try await reports.thumbnails(
        of: report.wantedImages, from: source, byteBudget: report.thumbnailByteBudget(), jobs: jobs.count,
        results.words)
    }
    try write(score, thumbnails)
    try report(score, run)
  }

  /// Parses the gates before any output is read; a malformed one is wrong usage.
  private func gates(classes: [String]) throws -> [Gate] {
    try parsedGates(failUnder, of: "--fail-under", verb: "score") { (text) throws(ScoringError) in
      try Gate.parse(text, classes: classes)
    }
  }

  private func details(_ run: ScoringRun) -> [Detail] {
    var details = [Detail("Outputs", outputs), Detail("Truth", truth)]
    if let classes { details.append(Detail("Class list", classes)) }
    details.append(Detail("Matched by", matchText(run)))
    for sentence in joinedNames(run) { details.append(Detail("Joined", sentence)) }
    for (reason, count) in reasonCounts(run.unexpected) {
      details.append(Detail("Unexpected: \(reason)", "\(count)"))
    }
    details.append(Detail("Program", "imrec \(Imrec.configuration.version)"))
    return details
  }

  /// Writes the requested files; each is renamed into place when it is complete.
  private func write(_ score: Score, _ thumbnails: Thumbnails) throws {
    if let output { try writeStaged(output) { sink in try score.writeJSON(sink) } }
    try reports.write(score, thumbnails, results.words)
  }

  private func report(_ score: Score, _ run: ScoringRun) throws {
    let words = results.words
    for problem in run.plan.source.problems {
      words.warn("\(printable(shortened(problem.path))): \(printable(problem.reason))")
    }
    for sentence in run.plan.truth.passedOver { words.warn("truth: \(printable(sentence))") }
    let others = run.plan.source.others
    if let first = others.first {
      words.note(
        "\(counted(others.count, "file")) in \(printable(outputs)) ignored, not named like an output: \(printable(shortened(first)))\(others.count > 1 ? ", ..." : "")"
      )
    }
    for sentence in joinedNames(run) { words.warn(printable(sentence)) }
    words.listed("invalid", score.invalid.map { ($0.path, $0.reason) })
    words.listed("missing", score.missing.map { ($0, "no output") })
    words.listed("unexpected", run.unexpected.map { ($0.path, $0.reason) })
    if results.json {
      try score.writeJSON { chunk in
        guard writeToOutput(String(decoding: chunk, as: UTF8.self)) else { throw OutputClosed() }
      }
    } else {
      guard writeToOutput(ScoreText(score, matched: matchText(run), output: output).text) else {
        throw OutputClosed()
      }
    }
    // Last, where the user sees them.
    words.failedGates(score.gates) { gate in Gate.losses.contains(gate.gate) ? "at most" : "at least" }
    let advice = ScoreAdvice(score: score, run: run, truth: truth, classList: classes)
    for remedy in advice.remedies { words.warn(remedy) }
    if !results.json, let next = advice.nextStep(output: output) { words.note(next) }
    if score.gates.contains(where: { !$0.passed }) { throw ExitCode(ExitStatus.gateFailed) }
    if score.scored == 0 { throw ExitCode(ExitStatus.failed) }
    if !score.invalid.isEmpty || score.missing.count > missing.allowed || !run.unexpected.isEmpty
      || !run.plan.source.problems.isEmpty
    {
      throw ExitCode(ExitStatus.someSkipped)
    }
  }

  /// A sentence for each rule that matched names which differ.
  private func joinedNames(_ run: ScoringRun) -> [String] {
    MatchRule.allCases.compactMap { rule -> String? in
      guard let count = run.ruleCounts[rule], let (output, image) = run.examples[rule] else { return nil }
      let example = "\(shortened(output, to: 80)) and \(shortened(image, to: 80))"
      let those = counted(count, "output")
      return switch rule {
      case .stem: "\(those) matched to names without a suffix, such as \(example)"
      case .folder: "\(those) matched by prepending a folder, such as \(example)"
      case .spelling:
        "\(those) matched to \(count == 1 ? "a name that differs" : "names that differ") in \(difference(output, image)), such as \(example)"
      default: nil
      }
    }
  }

  /// In what two spellings of a name differ.
  private func difference(_ output: String, _ image: String) -> String {
    // String's equality ignores how Unicode composes a character.
    let parts = zip(output.split(separator: "/").reversed(), image.split(separator: "/").reversed())
    if parts.allSatisfy({ $0 == $1 }) { return "Unicode normalization" }
    if output.utf8.contains(UInt8(ascii: "\\")) || image.utf8.contains(UInt8(ascii: "\\")) {
      return "the direction of slashes"
    }
    return "case"
  }

  private func matchText(_ run: ScoringRun) -> String {
    let counts = MatchRule.allCases.compactMap { rule in run.ruleCounts[rule].map { "\(rule) (\($0))" } }
    return counts.isEmpty ? "nothing" : counts.joined(separator: ", ")
  }

  private func reasonCounts(_ items: [InputProblem]) -> [(String, Int)] {
    // Reasons that contain a byte offset would all differ, so they are counted together.
    var counts: [ByteName: Int] = [:]
    for item in items {
      counts[ByteName(item.reason.hasBytePrefix("byte ") ? "not valid JSON" : item.reason), default: 0] += 1
    }
    if counts.count > 20 { return [("for various reasons", items.count)] }
    return counts.sorted { $0.key < $1.key }.map { ($0.key.text, $0.value) }
  }
}

/// Advice after a score: what to do if the inputs do not fit each other or a figure suggests a mistake, and the next
/// step.
struct ScoreAdvice {
  let score: Score
  let run: ScoringRun
  let truth: String
  let classList: String?

  /// Sentences, the most important first; empty if the inputs fit.
  var remedies: [String] {
    if score.images == 0 { return [noImages] }
    if let remedy = classCountRemedy { return [remedy] }
    if run.plan.truth.count == 0 { return [noImages] }
    if let remedy = namesRemedy { return [remedy] }
    if score.scored == 0 && score.missing.isEmpty {
      return [
        "no output can be scored. An output must be JSON such as {\"prediction\": [0.1, 0.9]}, [0.1, 0.9] or "
          + "{\"predicted_label\": 1}; a file of JSON lines has one output per line"
      ]
    }
    return orderRemedy.map { [$0] } ?? []
  }

  /// A suggestion for the next command; nil if nothing was scored.
  func nextStep(output: String?) -> String? {
    guard score.scored > 0 else { return nil }
    guard let output else { return "next: -o score.json saves every figure, for imrec compare" }
    return "next: imrec compare \(printable(output)) OTHER.json shows whether another run is better"
  }

  private var noImages: String {
    "\(printable(truth)) \(score.images == 0 ? "names no image" : "has no image with a usable label"): there is nothing "
      + "to score. "
      + (isFolder(truth)
        ? "A folder as truth must hold one folder for each class, with .jpg, .jpeg or .png files in it"
        : "Each line needs a path and a label: a/1.jpg,3 (CSV) or {\"path\": \"a/1.jpg\", \"label\": 3}")
  }

  private var classCountRemedy: String? {
    guard let length = run.plan.rowLength, length != score.classes.count else { return nil }
    let have =
      classList.map { "\(printable($0)) names \(score.classes.count)" }
      ?? "\(printable(truth)) has \(score.classes.count)"
    return "most outputs have \(length) probabilities, one for each class of the model, but \(have). "
      + "Name all classes of the model with --classes FILE, one per line, in the order used for training"
  }

  /// Advice if both outputs and images are left over: example names that show why they do not match.
  private var namesRemedy: String? {
    guard !score.missing.isEmpty else { return nil }
    if run.plan.source.count == 0 {
      let other = run.plan.source.others.first.map {
        "; it holds other files, such as \(printable(shortened($0)))"
      }
      return "\(printable(run.plan.source.path)) holds no file <name>.out (or <name>.json)\(other ?? "")"
    }
    guard !run.unexpected.isEmpty else { return nil }
    var text =
      score.scored == 0
      ? "no output matches an image" : "some outputs and images are left over, and may belong together"
    text += ". Examples: outputs \(examples(run.unexpected.map(\.path))); "
    text += "\(run.plan.truth.isNamedByID ? "ids" : "paths") of the truth \(examples(score.missing)). "
    if run.plan.truth.isNamedByID {
      text += "A .rec identifies its images only by id; name the .lst it was made from"
    } else if run.fittingFolders.count > 1 {
      let folders = run.fittingFolders.map { printable(shortened($0, to: 80)) }
      text +=
        "They match files in each of \(shortList(folders)): transform their parent folder, so that the outputs keep the names of these folders"
    } else if run.unexpected.contains(where: { $0.reason.contains("have this file name") }) {
      text += "Without folders, the file names are not unique: keep the folders in the names of the outputs"
    } else {
      text +=
        "An output is matched by the path of its image, the end of that path, a unique file name, or an id"
    }
    return text
  }

  private func examples(_ names: [String]) -> String {
    let shown = names.prefix(2).map { printable(shortened($0, to: 80)) }.joined(separator: ", ")
    return names.count > 2 ? shown + " and others" : shown
  }

  /// Advice if the class list seems to be in another order than the model's: then nearly all predictions are wrong, but
  /// each class is confused with one other class.
  private var orderRemedy: String? {
    guard let top1 = score.top1, score.hardLabels == 0 || score.classes.count > 1 else { return nil }
    let occurring = score.classes.count { $0.support > 0 }
    guard occurring > 2, score.scored >= 5 * occurring else { return nil }
    var best = [ConfusionCell?](repeating: nil, count: score.classes.count)
    for cell in score.confusion where cell.count > best[cell.truth]?.count ?? 0 { best[cell.truth] = cell }
    let found = best.compactMap { $0 }
    let share = Double(found.reduce(0) { $0 + $1.count }) / Double(score.scored)
    guard share > 0.4, top1.value < share / 3, Set(found.map(\.predicted)).count > occurring / 2 else {
      return nil
    }
    let shifts = Set(found.map { $0.predicted - $0.truth })
    let how =
      shifts.count == 1 && shifts.first != 0
      ? "every predicted label is too \((shifts.first ?? 0) > 0 ? "high" : "low") by \(abs(shifts.first ?? 0))"
      : "--classes and the labels of the truth must be in the order used for training"
    return
      "\(decimalText(100 * share, 0)) % of the predictions would be correct if the classes were in another order: \(how)"
  }
}
