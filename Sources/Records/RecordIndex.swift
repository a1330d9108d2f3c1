import Files

/// An `.idx` file: where the record of each id starts.
public struct RecordIndex: Hashable, Sendable {
  public struct Entry: Hashable, Sendable {
    public var key: UInt64
    /// The first byte of the record in the `.rec` file; not compared with that file here.
    public var offset: Int

    public init(key: UInt64, offset: Int) {
      self.key = key
      self.offset = offset
    }
  }
  /// In the order of the file. Ids may repeat.
  public var entries: [Entry]

  public init(entries: [Entry] = []) {
    self.entries = entries
  }

  /// Reads an index: a line is id, tab (or blanks), offset. Blank lines and CRLF are no error, as in dmlc.
  ///
  /// - Throws: `.badIndexLine`, with the line's byte offset, for anything else: a sign, a number beyond 64 bits,
  ///   a third field; `.file`.
  /// - Complexity: O(file), which is held in memory meanwhile.
  public init(path: String) throws(RecordError) {
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try readFile(path).bytes
    } catch {
      throw RecordError(.file(error), path: path, offset: 0)
    }
    entries = []
    var lineNumber = 0
    var start = 0
    while start < bytes.count {
      lineNumber += 1
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      let fields = bytes[start..<end].split(whereSeparator: isBlank)
      if !fields.isEmpty {
        guard fields.count == 2, let key = wholeNumber(fields[0]),
          let offset = wholeNumber(fields[1]).flatMap(Int.init(exactly:))
        else {
          throw RecordError(
            .badIndexLine(lineNumber, text: printable(bytes[start..<end], limit: 80)),
            path: path, offset: start)
        }
        entries.append(Entry(key: key, offset: offset))
      }
      start = end + 1
    }
  }

  /// The line of one record, line end included.
  public static func line(key: UInt64, offset: Int) -> String { "\(key)\t\(offset)\n" }
}
