public import Encodings
public import Files
public import Records

/// Why a truth, a class list or a table of class groups cannot be read at all. A fault of a single image is not an
/// error: such images are counted as invalid.
public struct TruthError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The file cannot be read.
    case file(FileError)
    /// The records cannot be read.
    case records(RecordError)
    /// The folders cannot be read.
    case scan(ScanError)
    /// This line of a class list is not UTF-8.
    case notUTF8(line: Int)
    /// This line of a class list is empty.
    case emptyClassName(line: Int)
    /// Two labels have the same class name.
    case repeatedClass(String, labels: [Int])
    /// The table has no column for the path or the label, or not the one that was asked for.
    case noColumn(String, known: [String], header: [String])
    /// Columns were asked for, but the format has none.
    case noColumns
    /// Two columns have this name, or it was asked for twice.
    case repeatedColumn(String)
    /// Two columns with known names of a label, which say different things of the same images.
    case severalLabels(String, String)
    /// The fields of the first row are neither known names of columns nor an image that has an output.
    case unknownHeader([String])
    /// No separator occurs in the first row, which is this.
    case oneColumn(String)
    /// Several separators occur in the first row, and nothing tells which is meant.
    case manySeparators([String])
    /// The text has an encoding that is not read: its name.
    case encoding(String)
    /// The file is of another kind; the sentence says of which, and what is expected.
    case otherKind(String)
    /// The file is one JSON array that is damaged.
    case brokenArray(JSONError)
    /// The quote that opens in this line is never closed.
    case openQuote(line: Int)
    /// A row of a table of class groups cannot be used; the sentence says why.
    case badGroup(String, line: Int)
    /// The file is neither a list nor records, a table or JSON lines.
    case unknownFormat
    /// The paths have more than 4 GB in total.
    case tooLarge
  }
  /// What is wrong.
  public let reason: Reason
  /// The file or folder; empty where none is involved.
  public let path: String

  init(_ reason: Reason, path: String) {
    self.reason = reason
    self.path = path
  }

  /// A sentence for the user that begins with the path, where there is one.
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
      "class \"\(name)\" is there twice, with labels \(labels.map { "\($0)" }.joined(separator: " and "))"
    case .noColumn(let what, let known, let header):
      "no column for \(what); its header has \(Self.quoted(header))"
        + (known.isEmpty ? "" : "; one of \(shortList(known)) is expected")
    case .noColumns: "it has no named columns to choose from; only tables and JSON lines have them"
    case .repeatedColumn(let name): "the column \"\(name)\" is asked for twice, or is in the header twice"
    case .severalLabels(let first, let second):
      "the columns \"\(first)\" and \"\(second)\" may both be the labels, and they disagree"
    case .unknownHeader(let row):
      "its first row is \(Self.quoted(row)): none of these is a known name of a column, and no output belongs to an image named \"\(row.first ?? "")\""
    case .oneColumn(let row):
      "its rows have one column, such as \"\(row)\"; a path and a label are expected, with a comma, a semicolon or a tab between them"
    case .manySeparators(let separators):
      "its first row contains \(Self.quoted(separators)), and it is not clear which of them separates the columns"
    case .encoding(let name): "this is text in \(name); UTF-8 is expected"
    case .otherKind(let sentence): sentence
    case .brokenArray(let fault): "this is one JSON array, and it is damaged: \(fault)"
    case .openQuote(let line): "the quote that opens in line \(line) is not closed"
    case .badGroup(let what, let line): "line \(line): \(what)"
    case .unknownFormat: "this file has no known format of a truth; \(Self.expected) is expected"
    case .tooLarge: Truth.tooLarge
    }
  }

  static let expected = "a .lst, a .rec, a folder of class folders, a CSV or JSON lines"

  private static func quoted(_ names: [String]) -> String {
    shortList(names.map { $0 == "\t" ? "a tab" : "\"\($0.count > 80 ? $0.prefix(80) + "..." : $0)\"" })
  }
}

/// Calls `body`, and turns the fault of a file of lines into a `TruthError`.
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

/// Calls `body`, and turns the fault of a file into a `TruthError`.
func readingTruth<Result: ~Copyable>(_ path: String, _ body: () throws(FileError) -> Result)
  throws(TruthError) -> Result
{
  do throws(FileError) {
    return try body()
  } catch {
    throw TruthError(.file(error), path: path)
  }
}
