import Files

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
