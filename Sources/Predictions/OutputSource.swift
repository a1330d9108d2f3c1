public import Encodings
public import Files

/// The outputs of a run: a folder of files, or one file that holds JSON lines, one JSON array or a table.
public struct OutputSource: Sendable {
  enum Kind: Sendable {
    case folder(OutputFolder)
    case lines(String)
  }
  let kind: Kind
  /// The path that the caller gave.
  public let path: String
  /// The header, where the file is a table.
  private(set) var table: OutputTable?
  /// What messages call a line: "line", or "element" for one of an array.
  let unit: String

  /// Finds out what the outputs are; a folder is walked, but no output is parsed.
  ///
  /// - Parameter path: a folder, whose files `<name>.out` (at any depth) are the outputs, or those named `<name>.json`
  ///   where none ends in `.out`; or a file.
  /// - Throws: `.file`; `.otherKind` for a file that its first bytes show to be something else. A folder without any
  ///   output is *not* an error.
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

  /// Tells from the first bytes of a file whether it is a table, and what its lines are called.
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

  /// The classes that the columns of a table name; `nil` where the outputs are no table, or its columns name none.
  func tableClasses() throws(OutputError) -> ClassList? { try table?.classes(path: path) }

  /// These outputs with the columns of their table, if they are one, assigned to the classes.
  func joined(with classes: ClassList?) throws(OutputError) -> OutputSource {
    var source = self
    source.table = try table?.joined(with: classes, path: path)
    return source
  }

  /// Parses a line: an object, an array, a label, or a row of the table.
  ///
  /// - Returns: `nil` for the table's header.
  /// - Throws: what is wrong with the line; nothing is then added to the parser's values.
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

  /// The depth of the folders that all outputs have in common.
  var commonFolderCount: Int {
    guard case .folder(let folder) = kind, folder.files.count > 0 else { return 0 }
    return folder.files[0].prefix(folder.commonFolderByteCount).count { $0 == UInt8(ascii: "/") }
  }

  /// The number of outputs; `nil` for lines, which are counted only while they are read.
  public var count: Int? {
    switch kind {
    case .folder(let folder): folder.files.count
    case .lines: nil
    }
  }

  /// The number of files in the folder whose names are not those of outputs, and the first of them by path.
  public var others: (count: Int, first: String?) {
    switch kind {
    case .folder(let folder): (folder.otherCount, folder.firstOther)
    case .lines: (0, nil)
    }
  }

  /// Folders that could not be read; outputs in them are missing.
  public var problems: [InputProblem] {
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
      // A file that cannot be read is an invalid output; it is reported when it is read as one.
      return false
    }
  }
}

/// Why the outputs cannot be read at all. A fault of a single output is not an error: such outputs are counted.
public struct OutputError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The file or folder cannot be read.
    case file(FileError)
    /// The lines name no image, and there are more or fewer of them than images in the truth.
    case orderUnknown(lines: Int, images: Int)
    /// The lines name no image, and the truth has no order, or has entries that are unusable.
    case orderMeansNothing
    /// The file is of another kind; the sentence says of which, and what is expected.
    case otherKind(String)
    /// The file is one JSON array that is damaged.
    case brokenArray(JSONError)
    /// None of the first `lines` lines can be read; the number of the first of them, and its fault.
    case noPrediction(lines: Int, first: Int, fault: String)
    /// It is uncertain what the columns of the table are; the sentence says why.
    case unclearTable(String)
  }
  /// What is wrong.
  public let reason: Reason
  /// The file or folder.
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

  /// A sentence for the user that begins with the path.
  public var description: String {
    switch reason {
    case .file(let error): error.description
    case .orderUnknown(let lines, let images):
      "\(path): the lines do not name their images, and \(lines) lines cannot be matched to \(images) images by order"
    case .orderMeansNothing:
      "\(path): the lines do not name their images, and the order of this truth says nothing; "
        + "matching by order needs a .lst, a .rec, a CSV or JSON lines without unusable entries"
    case .otherKind(let sentence): "\(path): \(sentence)"
    case .brokenArray(let fault): "\(path): this is one JSON array, and it is damaged: \(fault)"
    case .noPrediction(let lines, let first, let fault):
      lines == 1
        ? "\(path): its only line is not a prediction: \(fault)"
        : "\(path): none of its first \(lines) lines is a prediction; line \(first): \(fault)"
    case .unclearTable(let why): "\(path): this is a table, and \(why)"
    }
  }
}
