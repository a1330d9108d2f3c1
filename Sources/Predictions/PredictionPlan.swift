import Files

/// All that must be known to read outputs and to join them to the truth. A value that every thread may use.
public struct PredictionPlan: Sendable {
  /// How outputs that no name joins are joined.
  enum Mode: Hashable, Sendable { case byName, byOrder, byCaltechName }

  public let source: OutputSource
  public let truth: Truth
  /// The classes, in label order; numbers where there are no names.
  public let classes: ClassList
  /// How many probabilities most outputs of a sample have; `nil` where they are labels, or cannot be read.
  public let rowLength: Int?
  let mode: Mode
  private let matcher: Matcher
  /// Whether files named by a number are named by an id.
  private let areIDs: Bool
  /// What a name in an output is looked up in; `nil` where classes are only numbers.
  private let namedClasses: ClassList?

  /// Looks what there is, reads the truth, and plans.
  ///
  /// - Parameters:
  ///   - outputs: a folder of outputs, or a file.
  ///   - truth: a list, records, a folder of class folders, a table or JSON lines.
  ///   - classes: `nil` to take those that a table of outputs has columns for, those of the truth, or numbers.
  ///   - columns: of the truth.
  /// - Throws: `TruthError`, `OutputError` where one of them cannot be read as a whole.
  public init(outputs: String, truth: String, classes: ClassList?, columns: TruthColumns = TruthColumns())
    throws
  {
    let source = try OutputSource(outputs)
    var list = classes
    if list == nil { list = try source.tableClasses() }
    try self.init(source, try Truth(truth, classes: list, columns: columns))
  }

  /// Looks at a sample of the outputs, to learn how many classes there are where no list says it, and whether lines
  /// name their images.
  ///
  /// - Throws: `OutputError`: `.orderMeansNothing`, `.unclearTable`, `.noPrediction`, `.file` where lines cannot be read;
  ///   `TruthError`: `.unknownHeader` where a table's first row is neither known names nor an image with an output.
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

  /// The same, but by the class numbers in Caltech's names.
  func byCaltechName() -> PredictionPlan {
    PredictionPlan(source, truth, classes, rowLength, .byCaltechName, matcher)
  }

  /// The same, with matches for names that no rule joins.
  func adding(_ matches: [[UInt8]: Matcher.Match]) -> PredictionPlan {
    PredictionPlan(source, truth, classes, rowLength, mode, matcher.adding(matches))
  }

  public func batches() throws(OutputError) -> OutputBatches { try OutputBatches(source) }

  /// Reads and parses the outputs of a batch and finds their images.
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

  /// What a row is called in messages and lists.
  func origin(_ row: OutputRows.Row) -> String {
    switch source.kind {
    case .folder(let folder):
      folder.files.text(row.place) + (row.line.map { " line \($0)" } ?? "")
    case .lines(let path):
      "\(baseName(path)) \(source.unit) \(row.place)"
    }
  }

  /// The name that a row was to be matched by; `nil` where it has none.
  func name(_ row: OutputRows.Row) -> String? { nameBytes(row).map { shown($0) } }

  func nameBytes(_ row: OutputRows.Row) -> [UInt8]? {
    switch (row.name, source.kind) {
    case (.given(let name), _): name
    case (.file, .folder(let folder)): Array(folder.files[row.place].dropLast(folder.suffix.count))
    case (.file, .lines), (.none, _): nil
    }
  }
}
