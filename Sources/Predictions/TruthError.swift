public import Files
public import Records

/// Why the truth or the class list cannot be read at all. What is wrong with single inputs is not an error: they are
/// counted as invalid.
public struct TruthError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case file(FileError)
    case records(RecordError)
    case scan(ScanError)
    case notUTF8(line: Int)
    case emptyClassName(line: Int)
    case repeatedClass(String, labels: [Int])
    /// A table without a column for the path or the label, or without the one that was asked for.
    case noColumn(String, known: [String], header: [String])
    /// Columns were asked for, and the format has none.
    case noColumns
    case repeatedColumn(String)
    /// The first row names neither columns that are known nor an image that has an output.
    case unknownHeader([String])
    /// No separator cuts the first row, which is this.
    case oneColumn(String)
    case manySeparators([String])
    /// The text is in an encoding that is not read.
    case encoding(String)
    /// The file is something else; says what, and what is expected.
    case otherKind(String)
    /// One JSON array that breaks off or goes wrong.
    case brokenArray(JSONFault)
    case openQuote(line: Int)
    /// A row of the class groups.
    case badGroup(String, line: Int)
    /// Neither a list nor records, a table or JSON lines.
    case unknownFormat
    /// The paths together have more than 4 GB.
    case tooLarge
  }
  public let reason: Reason
  /// Empty where no file is involved.
  public let path: String

  init(_ reason: Reason, path: String) {
    self.reason = reason
    self.path = path
  }

  public var description: String {
    switch reason {
    case .file(let error): error.description
    case .records(let error): error.description
    case .scan(let error): error.description
    default: path.isEmpty ? sentence : "\(path): \(sentence)"
    }
  }

  private var sentence: String {
    switch reason {
    case .file(let error): error.sentence
    case .records(let error): error.sentence
    case .scan(let error): error.description
    case .notUTF8(let line): "line \(line) is not UTF-8"
    case .emptyClassName(let line): "line \(line) is empty; one class name a line is expected, in label order"
    case .repeatedClass(let name, let labels):
      "class \"\(name)\" stands twice, as label \(labels.map { "\($0)" }.joined(separator: " and "))"
    case .noColumn(let what, let known, let header):
      "no column for \(what); its header has \(Self.quoted(header))"
        + (known.isEmpty ? "" : ", one of \(shortList(known)) is expected")
    case .noColumns: "it has no named columns to choose from; a table or JSON lines have"
    case .repeatedColumn(let name): "the column \"\(name)\" is asked for twice, or stands twice in the header"
    case .unknownHeader(let row):
      "its first row is \(Self.quoted(row)), which are no known names of columns, and no output belongs to an image of the name \"\(row.first ?? "")\""
    case .oneColumn(let row):
      "its rows have one column, such as \"\(row)\"; a path and a label are expected, with a comma, a semicolon or a tab between them"
    case .manySeparators(let separators):
      "its first row may be cut at each of \(Self.quoted(separators)): which separates the columns cannot be told"
    case .encoding(let name): "this is text in \(name); UTF-8 is expected"
    case .otherKind(let sentence): sentence
    case .brokenArray(let fault): "this is one JSON array, and it is damaged: \(fault)"
    case .openQuote(let line): "the quote that opens in line \(line) is not closed"
    case .badGroup(let what, let line): "line \(line): \(what)"
    case .unknownFormat: "this is no truth: \(Self.expected) is expected"
    case .tooLarge: Truth.tooLarge
    }
  }

  static let expected = "a .lst, a .rec, a folder of class folders, a CSV or JSON lines"

  private static func quoted(_ names: [String]) -> String {
    shortList(names.map { $0 == "\t" ? "a tab" : "\"\($0.count > 80 ? $0.prefix(80) + "..." : $0)\"" })
  }
}

/// Calls `body`, which reads lines; its fault becomes the truth's.
func readingTruthLines<Result: ~Copyable>(_ path: String, _ body: () throws(LineError) -> Result)
  throws(TruthError) -> Result
{
  do throws(LineError) {
    return try body()
  } catch {
    switch error {
    case .file(let fault): throw TruthError(.file(fault), path: path)
    case .array(let fault): throw TruthError(.brokenArray(fault), path: path)
    }
  }
}

/// Calls `body`; a fault of a file becomes the truth's.
func readingTruth<Result: ~Copyable>(_ path: String, _ body: () throws(FileError) -> Result)
  throws(TruthError) -> Result
{
  do throws(FileError) {
    return try body()
  } catch {
    throw TruthError(.file(error), path: path)
  }
}
