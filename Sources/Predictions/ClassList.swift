import Encodings
import Files

/// The names of the classes, in label order. Names are compared by their bytes.
public struct ClassList: Hashable, Sendable {
  /// The name of label i at index i.
  public let names: [String]
  private let labels: [[UInt8]: Int]

  /// - Parameter names: in label order, none twice.
  /// - Throws: `.repeatedClass`, with both labels.
  public init(_ names: [String]) throws(TruthError) {
    var labels: [[UInt8]: Int] = [:]
    for (label, name) in names.enumerated() {
      if let first = labels.updateValue(label, forKey: Array(name.utf8)) {
        throw TruthError(.repeatedClass(nameText(name.utf8), labels: [first, label]), path: "")
      }
    }
    self.names = names
    self.labels = labels
  }

  /// Reads a class file: one name a line, in label order; LF or CRLF; UTF-8 or UTF-16.
  ///
  /// - Parameter path: a file of at most 64 MiB.
  /// - Throws: `.file`; `.otherKind` for a file that is not text; `.encoding`; `.notUTF8`, `.emptyClassName` with the
  ///   line; `.repeatedClass`. An empty file is *not* an error: it is a list without classes.
  public init(file path: String) throws(TruthError) {
    let bytes = try readingTruth(path) { () throws(FileError) in try readFile(path, limit: 1 << 26).bytes }
    if let kind = foreignKind(Array(bytes.prefix(4096))) {
      throw TruthError(.otherKind(kind.sentence(expected: "a class list, one name a line,")), path: path)
    }
    var names: [String] = []
    for (index, line) in nameLines(try utf8Bytes(of: bytes, path: path)).enumerated() {
      guard let name = String(validating: line, as: UTF8.self) else {
        throw TruthError(.notUTF8(line: index + 1), path: path)
      }
      guard !name.isEmpty else { throw TruthError(.emptyClassName(line: index + 1), path: path) }
      names.append(name)
    }
    do throws(TruthError) {
      try self.init(names)
    } catch {
      throw TruthError(error.reason, path: path)
    }
  }

  /// Classes that have no names: each is called by its label, and no name is found.
  init(numbered count: Int) {
    names = (0..<count).map { "\($0)" }
    labels = [:]
  }

  /// The number of classes.
  public var count: Int { names.count }

  func label(of name: [UInt8]) -> Int? { labels[name] }

  /// The first name that differs from `name` in Unicode form or case only; `nil` where there is none.
  func lookalike(of name: String) -> String? {
    // String's own equality, which ignores the Unicode form, is what is wanted here.
    let folded = name.lowercased()
    return names.first { $0.lowercased() == folded && !hasSameBytes($0, name) }
  }
}

/// Reads the group of each class from a table with two columns: a class, by name or label, and its group.
///
/// - Parameter path: a file of at most 64 MiB, UTF-8 or UTF-16, its columns separated by tabs where there is one, else
///   by commas. A first row whose first cell is not a class is a header.
/// - Returns: the group of each class, in label order; "ungrouped" for a class that the table does not name.
/// - Throws: `.file`; `.otherKind` for a file that is not text; `.encoding`; `.openQuote`; `.badGroup` for a row that
///   names no class, a class that an earlier row names, or no group.
public func readClassGroups(_ path: String, of classes: ClassList) throws(TruthError) -> [String] {
  let file = try readingTruth(path) { () throws(FileError) in try readFile(path, limit: 1 << 26).bytes }
  if let kind = foreignKind(Array(file.prefix(4096))) {
    throw TruthError(.otherKind(kind.sentence(expected: "a table of classes and their groups")), path: path)
  }
  let bytes = try utf8Bytes(of: file, path: path)
  let separator = bytes.contains(UInt8(ascii: "\t")) ? UInt8(ascii: "\t") : UInt8(ascii: ",")
  var rows = TableReader(bytes, separator: separator)
  var groups = [String?](repeating: nil, count: classes.count)
  do throws(TruthError) {
    var isFirst = true
    while let row = try rows.next() {
      let label = classes.label(of: row[0]) ?? wholeNumber(row[0]).flatMap { $0 < classes.count ? $0 : nil }
      defer { isFirst = false }
      guard let label else {
        if isFirst { continue }
        throw TruthError(
          .badGroup("class \"\(nameText(row[0]))\" is not on the class list", line: rows.line), path: path)
      }
      guard row.count >= 2, !row[1].isEmpty else {
        throw TruthError(.badGroup("a class and its group are expected", line: rows.line), path: path)
      }
      guard groups[label] == nil else {
        throw TruthError(
          .badGroup("class \"\(nameText(row[0]))\" already has a group", line: rows.line), path: path)
      }
      groups[label] = nameText(row[1])
    }
  } catch {
    throw TruthError(error.reason, path: path)
  }
  return groups.map { $0 ?? "ungrouped" }
}
