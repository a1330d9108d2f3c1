import Files

/// The names of the classes, in label order.
public struct ClassList: Hashable, Sendable {
  public let names: [String]
  private let labels: [[UInt8]: Int]

  /// - Throws: `.repeatedClass`.
  public init(_ names: [String]) throws(TruthError) {
    var labels: [[UInt8]: Int] = [:]
    for (label, name) in names.enumerated() {
      if let first = labels.updateValue(label, forKey: Array(name.utf8)) {
        throw TruthError(.repeatedClass(shown(Array(name.utf8)), labels: [first, label]), path: "")
      }
    }
    self.names = names
    self.labels = labels
  }

  /// Reads a class file: one name a line, in label order; LF or CRLF; UTF-8, or UTF-16 with its mark.
  ///
  /// - Throws: `.file`; `.otherKind`; `.encoding`; `.notUTF8`; `.emptyClassName`; `.repeatedClass`. An empty file is a
  ///   list of no class.
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

  /// Classes that have numbers and no names.
  init(numbered count: Int) {
    names = (0..<count).map { "\($0)" }
    labels = [:]
  }

  public var count: Int { names.count }

  func label(of name: [UInt8]) -> Int? { labels[name] }

  /// The first name that a person would take for this one: it differs in Unicode form or in case.
  func lookalike(of name: String) -> String? {
    // String's own equality, which takes all forms of a character for one, is what is asked for here.
    let folded = name.lowercased()
    return names.first { $0.lowercased() == folded && !hasSameBytes($0, name) }
  }
}

/// Reads which group each class is in, from a table (`.csv`, or with tabs): a class, by name or label, and its group.
///
/// - Returns: the group of each class, in label order; a class the table does not name is in the group "ungrouped".
///   A first row that names no class is a header.
/// - Throws: `.file`; `.openQuote`; `.badGroup` for a row that names no class, one that came before, or no group.
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
          .badGroup("class \"\(shown(row[0]))\" is not on the class list", line: rows.line), path: path)
      }
      guard row.count >= 2, !row[1].isEmpty else {
        throw TruthError(.badGroup("a class and its group are expected", line: rows.line), path: path)
      }
      guard groups[label] == nil else {
        throw TruthError(
          .badGroup("class \"\(shown(row[0]))\" has a group already", line: rows.line), path: path)
      }
      groups[label] = shown(row[1])
    }
  } catch {
    throw TruthError(error.reason, path: path)
  }
  return groups.map { $0 ?? "ungrouped" }
}
