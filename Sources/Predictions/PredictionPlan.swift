import Encodings
import Files

/// Everything that must be known to read outputs and to match them to the truth. Several threads may use one plan at
/// once.
public struct PredictionPlan: Sendable {
  /// How outputs are matched to images.
  enum Mode: Hashable, Sendable { case byName, byOrder, byCaltechName }

  /// Where the outputs are.
  public let source: OutputSource
  /// The images and their true classes.
  public let truth: Truth
  /// The classes, in label order; called by their labels where there are no names.
  public let classes: ClassList
  /// How many probabilities most outputs of a sample have; `nil` where outputs are labels, or cannot be read.
  public let rowLength: Int?
  let mode: Mode
  private let matcher: Matcher
  /// Whether outputs named by a number are named by an id.
  private let areIDs: Bool
  /// The list in which class names of outputs are looked up; `nil` where classes have only labels.
  private let namedClasses: ClassList?

  /// Finds out what the outputs are, and reads the truth.
  ///
  /// - Parameters:
  ///   - outputs: the path of a folder of outputs, or of a file.
  ///   - truth: the path of a list, records, a folder of class folders, a table or JSON lines.
  ///   - classes: `nil` to take the classes that the columns of a table of outputs name, else those of the truth, else
  ///     labels.
  ///   - columns: the columns of the truth, where it is a table or JSON lines.
  /// - Throws: `TruthError` or `OutputError` where one of the two cannot be read as a whole.
  public init(outputs: String, truth: String, classes: ClassList?, columns: TruthColumns = TruthColumns())
    throws
  {
    let source = try OutputSource(outputs)
    var list = classes
    if list == nil { list = try source.tableClasses() }
    try self.init(source, try Truth(truth, classes: list, columns: columns))
  }

  /// Reads a sample of the outputs, to learn whether lines name their images and, where the truth has no class list,
  /// how many classes there are.
  ///
  /// - Throws: `OutputError`: `.orderMeansNothing`, `.unclearTable`, `.noPrediction`, `.brokenArray`, `.file` where
  ///   lines cannot be read; `TruthError`: `.unknownHeader` where the first row of a table has no known names of
  ///   columns, and no output belongs to an image of its name.
  public init(_ outputs: OutputSource, _ truth: Truth) throws {
    let source = try outputs.joined(with: truth.classes)
    let commonCount = if case .folder(let folder) = source.kind { folder.commonFolderByteCount } else { 0 }
    let matcher = Matcher(truth, outputPrefixCount: commonCount)
    let sample = try OutputSample(source, truth.classes)
    let classes =
      if let classes = truth.classes { classes } else {
        ClassList(numbered: try sample.classCount(truth))
      }
    let mode: Mode = sample.namesNoImage ? .byOrder : .byName
    if mode == .byOrder && (truth.kind == .folders || !truth.rejections.isEmpty) {
      throw OutputError(.orderMeansNothing, path: source.path)
    }
    self.init(source, truth, classes, sample.rowLength(truth), mode, matcher)
    if let undecided = truth.undecided, mode == .byName, try !hasOutput(undecided.path) {
      throw undecided.error
    }
  }

  /// Whether an output belongs to the image of the truth that has this path.
  private func hasOutput(_ path: [UInt8]) throws(OutputError) -> Bool {
    guard let entry = (0..<truth.count).first(where: { truth.paths[$0].elementsEqual(path) }) else {
      return false
    }
    var batches = try self.batches()
    while let batch = try batches.next() { if read(batch).entries.contains(entry) { return true } }
    return false
  }

  private init(
    _ source: OutputSource, _ truth: Truth, _ classes: ClassList, _ rowLength: Int?, _ mode: Mode,
    _ matcher: Matcher
  ) {
    self.rowLength = rowLength
    self.source = source
    self.truth = truth
    self.classes = classes
    self.mode = mode
    self.matcher = matcher
    areIDs = if case .folder(let folder) = source.kind { matcher.areIDs(folder) } else { false }
    namedClasses = truth.classes
  }

  /// This plan with outputs matched by the class numbers in Caltech's names.
  func byCaltechName() -> PredictionPlan {
    PredictionPlan(source, truth, classes, rowLength, .byCaltechName, matcher)
  }

  /// This plan with matches for names that its matcher does not match.
  func adding(_ matches: [[UInt8]: Matcher.Match]) -> PredictionPlan {
    PredictionPlan(source, truth, classes, rowLength, mode, matcher.adding(matches))
  }

  /// The outputs from the first on, in batches.
  /// - Throws: `OutputError`: `.file` where a file of lines cannot be opened.
  public func batches() throws(OutputError) -> OutputBatches { try OutputBatches(source) }

  /// Reads and parses the outputs of a batch and finds their images. Outputs that cannot be read are rows with a fault.
  /// - Complexity: O(bytes).
  public func read(_ batch: OutputBatch) -> OutputRows {
    let parser = PredictionParser(classes: namedClasses, classCount: classes.count)
    var reader = RowReader(
      source, matcher, parser, areIDs: areIDs, reserving: batch.reservedCount(classes.count), batch.fraction)
    switch (batch.content, source.kind) {
    case (.lines(let block), _): block.forEachLine { line, bytes in reader.addLine(bytes, number: line) }
    case (.files(let range), .folder(let folder)): for index in range { reader.addFile(index, of: folder) }
    case (.files, .lines): break
    }
    return reader.finish()
  }

  /// The place of a row, for messages and lists: its file or its line.
  func origin(_ row: OutputRows.Row) -> String {
    switch source.kind {
    case .folder(let folder):
      folder.files.text(row.place) + (row.line.map { " line \($0)" } ?? "")
    case .lines(let path):
      "\(baseName(path)) \(source.unit) \(row.place)"
    }
  }

  /// The name that a row is matched by; `nil` where it has none.
  func name(_ row: OutputRows.Row) -> String? { nameBytes(row).map { nameText($0) } }

  func nameBytes(_ row: OutputRows.Row) -> [UInt8]? {
    switch (row.name, source.kind) {
    case (.given(let name), _): name
    case (.file, .folder(let folder)): Array(folder.files[row.place].dropLast(folder.suffix.count))
    case (.file, .lines), (.none, _): nil
    }
  }
}

/// A sample of the outputs, read to learn what all of them are like.
struct OutputSample {
  private static let fileCount = 100
  private static let lineCount = 1000
  /// How many outputs of the sample have each number of probabilities.
  private var lengths: [Int: Int] = [:]
  private var unnamedCount = 0
  private var namedCount = 0
  private let source: OutputSource
  /// The first line that could not be read.
  private var firstFault: (line: Int, sentence: String)?
  private var faultCount = 0

  /// - Throws: `.file`; `.brokenArray`; `.noPrediction` where none of the lines of the sample can be read.
  init(_ source: OutputSource, _ classes: ClassList?) throws(OutputError) {
    self.source = source
    var parser = PredictionParser(classes: classes, classCount: nil)
    switch source.kind {
    case .folder(let folder):
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      let step = max(1, folder.files.count / Self.fileCount)
      for index in stride(from: 0, to: folder.files.count, by: step) {
        guard let count = try? folder.read(index, into: &buffer) else { continue }
        let bytes = buffer
        add(bytes.span.extracting(0..<count), &parser)
      }
      // A file has a name, whatever is in it.
      unnamedCount = 0
    case .lines:
      var batches = try OutputBatches(source)
      while namedCount + unnamedCount < Self.lineCount, let batch = try batches.next() {
        guard case .lines(let block) = batch.content else { break }
        block.forEachLine { line, bytes in
          if namedCount + unnamedCount < Self.lineCount { add(line: bytes, line, &parser) }
        }
        if faultCount >= Self.lineCount { break }
      }
      if let firstFault, namedCount + unnamedCount == 0 {
        throw OutputError(
          .noPrediction(lines: faultCount, first: firstFault.line, fault: firstFault.sentence),
          path: source.path)
      }
    }
  }

  private mutating func add(line: Span<UInt8>, _ number: Int, _ parser: inout PredictionParser) {
    do throws(PredictionFault) {
      if let content = try source.parse(line: line, number: number, &parser) { add(content, parser) }
    } catch {
      if parser.nameRank != nil {
        namedCount += 1
      } else {
        faultCount += 1
        if firstFault == nil { firstFault = (number, error.description) }
      }
    }
    _ = parser.takeValues()
  }

  private mutating func add(_ bytes: Span<UInt8>, _ parser: inout PredictionParser) {
    var scanner = JSONScanner()
    let content = try? parser.parse(bytes, &scanner)
    _ = parser.takeValues()
    if let content { add(content, parser) } else if parser.nameRank != nil { namedCount += 1 }
  }

  private mutating func add(_ content: PredictionContent, _ parser: PredictionParser) {
    if parser.nameRank == nil { unnamedCount += 1 } else { namedCount += 1 }
    if case .probabilities(let count) = content { lengths[count, default: 0] += 1 }
  }

  /// Whether the outputs are lines, most of which do not name their images.
  var namesNoImage: Bool { unnamedCount > namedCount }

  /// The most frequent number of probabilities; of equally frequent ones the smallest that covers all labels of the
  /// truth. `nil` where no output has probabilities.
  func rowLength(_ truth: Truth) -> Int? {
    let needed = (truth.largestLabel ?? -1) + 1
    let best = lengths.max { left, right in
      if left.value != right.value { return left.value < right.value }
      let fits = (left.key >= needed, right.key >= needed)
      if fits.0 != fits.1 { return fits.1 }
      return fits.0 ? left.key > right.key : left.key < right.key
    }
    return best?.key
  }

  /// The number of classes that truth and outputs suggest: as many as most outputs have probabilities or, where outputs
  /// are labels, one more than the largest label of both.
  /// - Complexity: O(bytes of all outputs) where these are labels, else O(1).
  func classCount(_ truth: Truth) throws(OutputError) -> Int {
    if let length = rowLength(truth) { return length }
    return max((truth.largestLabel ?? -1) + 1, try largestLabel() + 1)
  }

  /// The largest label of all outputs; -1 where there is none.
  private func largestLabel() throws(OutputError) -> Int {
    var largest = -1
    var parser = PredictionParser(classes: nil, classCount: nil)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    func look(_ content: PredictionContent?) {
      if case .label(let label)? = content { largest = max(largest, label) }
      _ = parser.takeValues()
    }
    var batches = try OutputBatches(source)
    while let batch = try batches.next() {
      switch (batch.content, source.kind) {
      case (.lines(let block), _):
        block.forEachLine { line, bytes in look(try? source.parse(line: bytes, number: line, &parser)) }
      case (.files(let range), .folder(let folder)):
        for index in range {
          guard let count = try? folder.read(index, into: &buffer) else { continue }
          let bytes = buffer
          var scanner = JSONScanner()
          look(try? parser.parse(bytes.span.extracting(0..<count), &scanner))
        }
      case (.files, .lines): break
      }
    }
    return largest
  }
}
