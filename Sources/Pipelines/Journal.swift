import Files

/// What became of a list entry in an earlier run.
enum Resumed {
  case record(doubt: String?)
  case skipped(reason: String)
}

/// The whole lines of a journal; a last line without its end was being written and does not count.
struct JournalReader {
  private let text: [UInt8]
  private var start = 0

  init(_ text: [UInt8]) { self.text = text }

  mutating func next() -> Substring? {
    guard let end = text[start...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
    defer { start = end + 1 }
    return Substring(decoding: text[start..<end], as: UTF8.self)
  }
}

/// One line of the journal.
enum JournalLine: Hashable {
  case record(byteCount: Int, checksum: UInt64, doubt: String?, source: FileStamp?)
  case skip(reason: String, source: FileStamp?)
  case end(byteCount: Int)

  var text: String {
    switch self {
    case .record(let byteCount, let checksum, let doubt, let source):
      "+\t\(byteCount)\t\(checksum)\t\(Self.text(source))"
        + (doubt.map { "\t" + Self.escaped($0) } ?? "") + "\n"
    case .skip(let reason, let source): "-\t\(Self.text(source))\t\(Self.escaped(reason))\n"
    case .end(let byteCount): "=\t\(byteCount)\n"
    }
  }

  init?(_ line: some StringProtocol) {
    let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
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
    reason.replacing("\\", with: "\\\\").replacing("\n", with: "\\n").replacing("\t", with: "\\t")
  }

  private static func unescaped(_ text: some StringProtocol) -> String {
    var result = ""
    var afterBackslash = false
    for character in text {
      if afterBackslash {
        result.append(character == "n" ? "\n" : character == "t" ? "\t" : character)
        afterBackslash = false
      } else if character == "\\" {
        afterBackslash = true
      } else {
        result.append(character)
      }
    }
    return result
  }
}
