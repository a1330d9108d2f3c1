import Files

/// What became of a list entry in an earlier run.
enum Resumed {
  case record
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
  case record(byteCount: Int, checksum: UInt64, source: FileStamp?)
  case skip(reason: String, source: FileStamp?)
  case end(byteCount: Int)

  var text: String {
    switch self {
    case .record(let byteCount, let checksum, let source):
      "+\t\(byteCount)\t\(checksum)\t\(Self.text(source))\n"
    case .skip(let reason, let source): "-\t\(Self.text(source))\t\(Self.escaped(reason))\n"
    case .end(let byteCount): "=\t\(byteCount)\n"
    }
  }

  init?(_ line: some StringProtocol) {
    let fields = line.utf8.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false).map {
      String(decoding: $0, as: UTF8.self)
    }
    switch (fields.first, fields.count) {
    case ("+", 5):
      guard let byteCount = Int(fields[1]), byteCount > 0, let checksum = UInt64(fields[2]) else {
        return nil
      }
      self = .record(byteCount: byteCount, checksum: checksum, source: Self.stamp(fields[3], fields[4]))
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
    var result = String.UnicodeScalarView()
    for scalar in reason.unicodeScalars {
      switch scalar {
      case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
      case "\n": result.append(contentsOf: "\\n".unicodeScalars)
      case "\t": result.append(contentsOf: "\\t".unicodeScalars)
      default: result.append(scalar)
      }
    }
    return String(result)
  }

  private static func unescaped(_ text: some StringProtocol) -> String {
    var result = String.UnicodeScalarView()
    var afterBackslash = false
    for scalar in text.unicodeScalars {
      if afterBackslash {
        result.append(scalar == "n" ? "\n" : scalar == "t" ? "\t" : scalar)
        afterBackslash = false
      } else if scalar == "\\" {
        afterBackslash = true
      } else {
        result.append(scalar)
      }
    }
    return String(result)
  }
}
