package import Files

/// The outcome of a list entry in an earlier run.
enum Resumed {
  case record(doubt: String?)
  case skipped(reason: String)
}

/// Reads the complete lines of a journal. A last line without a newline was interrupted by a crash and is ignored.
package struct JournalReader {
  private let text: [UInt8]
  private var start = 0

  package init(_ text: [UInt8]) { self.text = text }

  package mutating func next() -> Substring? {
    guard let end = text[start...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
    defer { start = end + 1 }
    return Substring(decoding: text[start..<end], as: UTF8.self)
  }
}

/// One line of the journal of an unfinished `.rec` file.
package enum JournalLine: Hashable {
  /// A record was appended; `byteCount` and `checksum` are those of its frame, `source` is the stamp of the image file.
  case record(byteCount: Int, checksum: UInt64, doubt: String?, source: FileStamp?)
  /// The list entry was skipped.
  case skip(reason: String, source: FileStamp?)
  /// All entries are done; `byteCount` is the size of the `.rec` file.
  case end(byteCount: Int)

  package var text: String {
    switch self {
    case .record(let byteCount, let checksum, let doubt, let source):
      "+\t\(byteCount)\t\(checksum)\t\(Self.text(source))"
        + (doubt.map { "\t" + Self.escaped($0) } ?? "") + "\n"
    case .skip(let reason, let source): "-\t\(Self.text(source))\t\(Self.escaped(reason))\n"
    case .end(let byteCount): "=\t\(byteCount)\n"
    }
  }

  package init?(_ line: some StringProtocol) {
    // Split by bytes: Swift merges a tab and a following combining mark, and CR LF, into one character.
    let fields = line.utf8.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    switch (fields.first, fields.count) {
    case ("+", 5), ("+", 6):
      guard let byteCount = Int(fields[1]), byteCount > 0, let checksum = UInt64(fields[2]) else {
        return nil
      }
      self = .record(
        byteCount: byteCount, checksum: checksum, doubt: fields.count > 5 ? Self.unescaped(fields[5]) : nil,
        source: Self.stamp(fields[3], fields[4]))
    case ("-", 4):
      self = .skip(reason: Self.unescaped(fields[3]), source: Self.stamp(fields[1], fields[2]))
    case ("=", 2):
      guard let byteCount = Int(fields[1]) else { return nil }
      self = .end(byteCount: byteCount)
    default: return nil
    }
  }

  private static func text(_ stamp: FileStamp?) -> String {
    stamp.map { "\($0.byteCount)\t\($0.modifiedNanoseconds)" } ?? "-\t-"
  }

  private static func stamp(_ size: some StringProtocol, _ modified: some StringProtocol) -> FileStamp? {
    guard let size = Int(size), let modified = Int(modified) else { return nil }
    return FileStamp(byteCount: size, modifiedNanoseconds: modified)
  }

  private static func escaped(_ reason: String) -> String {
    var bytes: [UInt8] = []
    for byte in reason.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): bytes += "\\\\".utf8
      case UInt8(ascii: "\n"): bytes += "\\n".utf8
      case UInt8(ascii: "\t"): bytes += "\\t".utf8
      default: bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func unescaped(_ text: String) -> String {
    var bytes: [UInt8] = []
    var afterBackslash = false
    for byte in text.utf8 {
      if afterBackslash {
        bytes.append(byte == UInt8(ascii: "n") ? 0x0A : byte == UInt8(ascii: "t") ? 0x09 : byte)
        afterBackslash = false
      } else if byte == UInt8(ascii: "\\") {
        afterBackslash = true
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
