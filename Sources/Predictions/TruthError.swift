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
    /// A table without a column for the path or the label.
    case noColumn(String, known: [String], header: [String])
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
      "no column for the \(what); its header has \(header.map { "\"\($0)\"" }.joined(separator: ", ")), one of "
        + "\(known.joined(separator: ", ")) is expected"
    case .openQuote(let line): "the quote that opens in line \(line) is not closed"
    case .badGroup(let what, let line): "line \(line): \(what)"
    case .unknownFormat:
      "this is no truth: a .lst, a .rec, a folder of class folders, a CSV or JSON lines is expected"
    case .tooLarge: Truth.tooLarge
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
