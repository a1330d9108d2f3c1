import Files

/// Which images belong together, for example the frames of one film: they stay on one side of a split.
public struct ImageGroups: Hashable, Sendable {
  /// Paths and names are kept as bytes: as strings, different spellings of an accent would be one key.
  private(set) var groupOfPath: [[UInt8]: [UInt8]] = [:]

  /// - Parameter pairs: paths relative to the root, each with the name of its group. Of a repeated path the last
  ///   counts.
  public init(_ pairs: some Sequence<(String, String)>) {
    for (path, group) in pairs { groupOfPath[Array(path.utf8)] = Array(group.utf8) }
  }

  /// Reads a file of lines `path TAB group`. Blank lines and CRLF are no error.
  ///
  /// - Throws: `.badGroupLine` for any other line, and for a path that is given two groups; `.file`.
  /// - Complexity: O(file), which is held in memory.
  public init(path: String) throws(SplitError) {
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try readFile(path).bytes
    } catch {
      throw SplitError(.file(error))
    }
    var number = 0
    for var line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      if line.last == UInt8(ascii: "\r") { line.removeLast() }
      if line.allSatisfy(isBlank) { continue }
      let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
      guard fields.count == 2, fields.allSatisfy({ !$0.isEmpty }) else {
        let reason = "\"\(printable(line, limit: 80))\" is not a path, a tab and the name of a group"
        throw SplitError(.badGroupLine(path: path, line: number, reason: reason))
      }
      let former = groupOfPath.updateValue(Array(fields[1]), forKey: Array(fields[0]))
      guard former == nil || former == Array(fields[1]) else {
        let reason = "\"\(printable(fields[0], limit: 80))\" is in another group already"
        throw SplitError(.badGroupLine(path: path, line: number, reason: reason))
      }
    }
  }
}
