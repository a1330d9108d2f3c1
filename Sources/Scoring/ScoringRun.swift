public import Files
import Imaging
public import Predictions

/// How predictions are scored.
public struct ScoringOptions: Sendable {
  /// Batches of outputs in work at once; the score does not depend on it.
  public var jobs = 2
  /// Where the images are: their headers give slices by width, height, aspect and grey.
  public var images: String?
  /// Bytes of probabilities kept in memory, as many as 16,000 images of 257 classes have; what is more goes to a
  /// temporary file.
  public var rowByteCount = 32 << 20
  public var score = ScoreOptions()

  public init() {}
}

/// Predictions of a batch transform and their truth, joined and scored.
public struct ScoringRun: Sendable {
  /// What is known before any output is read in full: the truth, the classes.
  public let plan: PredictionPlan
  /// Outputs that count for no image, with the reasons; once `score` is done.
  public private(set) var unexpected: [InputProblem] = []
  /// Images each rule has joined.
  public private(set) var ruleCounts: [MatchRule: Int] = [:]
  /// An output, and the image it was joined with, of each rule that takes other names for the same.
  public private(set) var examples: [MatchRule: (output: String, image: String)] = [:]
  /// Folders of the truth, each of which would make all names of outputs fit; none where there is one, or no such.
  public private(set) var fittingFolders: [String] = []

  /// Reads the truth, and looks what outputs there are.
  ///
  /// - Parameters:
  ///   - outputs: a folder of outputs, or a file of JSON lines, of one JSON array or of a table.
  ///   - truth: a list, records, a folder of class folders, a table or JSON lines.
  ///   - classes: a file of class names in label order; `nil` to take those of the truth, or numbers.
  ///   - columns: which of the truth hold the image and the label; those of known names where nothing is said.
  /// - Throws: `TruthError`, `OutputError` where one of them cannot be read as a whole.
  public init(outputs: String, truth: String, classes: String?, columns: TruthColumns = TruthColumns()) throws
  {
    let list = try classes.map { try ClassList(file: $0) }
    plan = try PredictionPlan(outputs: outputs, truth: truth, classes: list, columns: columns)
  }

  /// Reads the outputs, joins them to the truth, and scores them.
  ///
  /// The sums of the score hold: images = scored + invalid + missing.
  /// - Throws: `OutputError`; `CancellationError`. A single output that cannot be used is not an error.
  public mutating func score(_ options: ScoringOptions, progress: (Progress) -> Void = { _ in }) async throws
    -> Score
  {
    var ledger = Ledger(plan)
    var tally: Tally
    repeat {
      tally = Tally(classes: plan.classes.names, rowBudget: options.rowByteCount)
      try await read(into: &tally, &ledger, options, progress)
    } while try ledger.endPass()
    for path in ledger.missing { tally.addMissing(path) }
    for item in ledger.invalid { tally.addInvalid(item.path, reason: item.reason) }
    for item in ledger.unexpected { tally.addUnexpected(item.path) }
    unexpected = ledger.unexpected
    ruleCounts = ledger.ruleCounts
    examples = ledger.examples
    fittingFolders = ledger.fittingFolders
    return await tally.score(options.score, jobs: options.jobs)
  }

  private func read(
    into tally: inout Tally, _ ledger: inout Ledger, _ options: ScoringOptions, _ progress: (Progress) -> Void
  ) async throws {
    // Not the run's own: the ledger's may know more names after a first pass.
    let plan = ledger.plan
    var batches = try plan.batches()
    let attributes = ImageAttributes(truth: plan.truth, images: options.images)
    var done = 0
    try await inOrder(
      width: options.jobs, window: 2 * options.jobs, next: { try batches.next() },
      work: { batch in
        let rows = plan.read(batch)
        return (rows, attributes?.ofImages(rows.entries))
      },
      take: { (rows, attributes) in
        ledger.take(rows) { output, row, place in
          do throws(ScoringError) {
            let facts = attributes?[place] ?? [:]
            switch output.content {
            case .probabilities:
              try tally.add(output.path, truth: output.truth, probabilities: row, attributes: facts)
            case .label(let label):
              try tally.add(output.path, truth: output.truth, predicted: label, attributes: facts)
            }
            return nil
          } catch {
            return error.description
          }
        }
        done += rows.count
        progress(
          Progress(
            done: done, total: plan.source.count, skipped: done - ledger.scoredCount, fraction: rows.fraction)
        )
      })
  }
}

/// Facts about images by which accuracy is cut into slices: further columns of the truth, and what the headers of the
/// image files say.
private struct ImageAttributes: Sendable {
  private let truth: Truth
  private let images: String?
  /// Whether all values of a column are numbers, for each column.
  private let isNumeric: [Bool]
  /// Most headers end within so many bytes; for the others the whole file is read.
  private static let headerByteCount = 1 << 16

  /// - Returns: `nil` where there are no such facts.
  init?(truth: Truth, images: String?) {
    if truth.columns.isEmpty && images == nil { return nil }
    self.truth = truth
    self.images = images
    isNumeric = truth.columns.map { column in
      column.values.allSatisfy { $0.isEmpty || Double($0)?.isFinite ?? false }
        && column.values.contains { !$0.isEmpty }
    }
  }

  /// - Parameter entries: places in the truth.
  /// - Returns: the facts of each; those that cannot be found out are left out.
  func ofImages(_ entries: [Int?]) -> [[ByteName: Attribute]] {
    entries.map { entry in entry.map { ofImage($0) } ?? [:] }
  }

  private func ofImage(_ entry: Int) -> [ByteName: Attribute] {
    var facts: [ByteName: Attribute] = [:]
    for (index, column) in truth.columns.enumerated() {
      let value = column.values[entry]
      if value.isEmpty { continue }
      facts[ByteName(column.name)] = isNumeric[index] ? Double(value).map { .number($0) } : .text(value)
    }
    if let images, let info = header(join(images, truth.path(entry))) {
      // As people see it: orientations 5 to 8 lie on their side.
      let (width, height) = info.orientation >= 5 ? (info.height, info.width) : (info.width, info.height)
      facts["image width"] = .number(Double(width))
      facts["image height"] = .number(Double(height))
      facts["image aspect"] = .number(Double(width) / Double(max(1, height)))
      facts["image grey"] = .text(info.channels <= 2 ? "yes" : "no")
    }
    return facts
  }

  private func header(_ path: String) -> ImageInfo? {
    if let start = try? readStart(of: path, byteCount: Self.headerByteCount),
      let info = try? probe(start.span)
    {
      return info
    }
    guard let whole = try? readFile(path, limit: 1 << 28).bytes else { return nil }
    return try? probe(whole.span)
  }
}
