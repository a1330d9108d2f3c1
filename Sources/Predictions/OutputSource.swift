public import Files

/// Where the outputs of a run are: a folder of files, or one file of JSON lines, of one JSON array, or of a table.
public struct OutputSource: Sendable {
  enum Kind: Sendable {
    case folder(OutputFolder)
    case lines(String)
  }
  let kind: Kind
  public let path: String
  /// The header of a file that is a table.
  private(set) var table: OutputTable?
  /// What the lines are called: "line", or "element" of an array.
  let unit: String

  /// Looks what there is; a folder is walked, no output is read.
  ///
  /// - Parameter path: a folder, in which (and below) the files `<name>.out` are outputs, where there are none, those
  ///   named `<name>.json`; or a file.
  /// - Throws: `.file`; `.otherKind` for a file that is none of these by its first bytes.
  public init(_ path: String) throws(OutputError) {
    self.path = path
    if let folder = try Self.folder(path) {
      // Batch transform of one file of many records gives one output with a line for each.
      if folder.files.count == 1, case let file = join(path, folder.files.text(0)),
        Self.holdsSeveralLines(file)
      {
        kind = .lines(file)
        (table, unit) = try Self.look(at: file)
      } else {
        (kind, unit) = (.folder(folder), "line")
      }
    } else {
      kind = .lines(path)
      (table, unit) = try Self.look(at: path)
    }
  }

  private static func folder(_ path: String) throws(OutputError) -> OutputFolder? {
    do throws(FileError) {
      return isFolder(path) ? try OutputFolder(path) : nil
    } catch {
      throw OutputError(.file(error), path: path)
    }
  }

  /// What the lines of a file are, by its first bytes.
  private static func look(at file: String) throws(OutputError) -> (OutputTable?, unit: String) {
    let start: [UInt8]
    do throws(FileError) {
      start = try readStart(of: file, byteCount: 1 << 20)
    } catch {
      throw OutputError(.file(error), path: file)
    }
    let first = Array(start.prefix(4096))
    if let kind = foreignKind(first) ?? wideEncoding(first).map({ FileKind("text in \($0)") }) {
      let expected = "a folder of <name>.out files, JSON lines, one JSON array or a table"
      throw OutputError(.otherKind(kind.sentence(expected: expected)), path: file)
    }
    if isSpreadOverLines(start) {
      throw OutputError(
        .otherKind(
          "this is one JSON object over several lines; JSON lines, one object a line, or one array are expected"
        ),
        path: file)
    }
    let table = OutputTable(start)
    do throws(LineError) {
      return (table, try LineBlocks(file).unit)
    } catch {
      throw OutputError(lines: error, path: file)
    }
  }

  /// The classes that a table has a column for each, if it is one.
  func tableClasses() throws(OutputError) -> ClassList? { try table?.classes(path: path) }

  /// The same outputs; of a table the columns are joined with the classes.
  func joined(with classes: ClassList?) throws(OutputError) -> OutputSource {
    var source = self
    source.table = try table?.joined(with: classes, path: path)
    return source
  }

  /// Reads a line: an object, an array, a label, or a row of the table.
  ///
  /// - Returns: `nil` for the table's header.
  /// - Throws: what is wrong with it; nothing is then added to the parser's values.
  func parse(line bytes: Span<UInt8>, number: Int, _ parser: inout PredictionParser) throws(PredictionFault)
    -> PredictionContent?
  {
    if let table {
      return number == table.headerLine ? nil : try parser.parse(row: bytes, of: table)
    }
    let start = parser.values.count
    var scanner = JSONScanner()
    let content = try parser.parse(bytes, &scanner)
    scanner.skipBlanks(bytes)
    if scanner.cursor < bytes.count {
      parser.values.removeLast(parser.values.count - start)
      throw PredictionFault(.json(scanner.fault("the end of the line", bytes)))
    }
    return content
  }

  /// How many folders all outputs are in, one below the other.
  var commonFolderCount: Int {
    guard case .folder(let folder) = kind, folder.files.count > 0 else { return 0 }
    return folder.files[0].prefix(folder.commonFolderByteCount).count { $0 == UInt8(ascii: "/") }
  }

  /// How many outputs there are; `nil` for lines, which are counted while they are read.
  public var count: Int? {
    switch kind {
    case .folder(let folder): folder.files.count
    case .lines: nil
    }
  }

  /// Files in the folder that are not outputs by their name, and the first of them.
  public var others: (count: Int, first: String?) {
    switch kind {
    case .folder(let folder): (folder.otherCount, folder.firstOther)
    case .lines: (0, nil)
    }
  }

  /// Folders that could not be read: what is in them is missing.
  public var problems: [Truth.Rejection] {
    switch kind {
    case .folder(let folder): folder.problems
    case .lines: []
    }
  }

  private static func holdsSeveralLines(_ path: String) -> Bool {
    do throws(LineError) {
      var blocks = try LineBlocks(path)
      var count = 0
      while count < 2, let block = try blocks.next() { block.forEachLine { _, _ in count += 1 } }
      return count >= 2
    } catch {
      // A file that cannot be read is an invalid output, named when its turn comes.
      return false
    }
  }
}

/// Why the outputs cannot be read at all. What is wrong with single ones is not an error: they are counted.
public struct OutputError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case file(FileError)
    /// The lines name no image, and there are not as many as the truth has.
    case orderUnknown(lines: Int, images: Int)
    /// The lines name no image, and the truth has no order, or has lines that are no images.
    case orderMeansNothing
    /// The file is something else; says what, and what is expected.
    case otherKind(String)
    /// One JSON array that breaks off or goes wrong.
    case brokenArray(JSONFault)
    /// Not one of so many lines can be read; the first, and what is wrong with it.
    case noPrediction(lines: Int, first: Int, fault: String)
    /// A table in which it is not certain what the columns are; says why.
    case unclearTable(String)
  }
  public let reason: Reason
  public let path: String

  init(_ reason: Reason, path: String) {
    self.reason = reason
    self.path = path
  }

  init(lines error: LineError, path: String) {
    switch error {
    case .file(let fault): self.init(.file(fault), path: path)
    case .array(let fault): self.init(.brokenArray(fault), path: path)
    }
  }

  public var description: String {
    switch reason {
    case .file(let error): error.description
    case .orderUnknown(let lines, let images):
      "\(path): the lines name no image, and there are \(lines) for the \(images) images of the truth: "
        + "which belongs to which cannot be told"
    case .orderMeansNothing:
      "\(path): the lines name no image, and the order of this truth says nothing; "
        + "a .lst, a .rec, a CSV or JSON lines, all of it usable, is expected then"
    case .otherKind(let sentence): "\(path): \(sentence)"
    case .brokenArray(let fault): "\(path): this is one JSON array, and it is damaged: \(fault)"
    case .noPrediction(let lines, let first, let fault):
      lines == 1
        ? "\(path): its only line is no prediction: \(fault)"
        : "\(path): none of its first \(lines) lines is a prediction; line \(first): \(fault)"
    case .unclearTable(let why): "\(path): this is a table, and \(why)"
    }
  }
}
