import Files
import Records

/// What kind of truth a path names.
enum TruthFormat: Hashable {
  case list, records, folders, lines
  case table(separator: UInt8)

  /// By the ending of the name; where that says nothing, by the first bytes.
  init(of path: String) throws(TruthError) {
    if isFolder(path) {
      self = .folders
      return
    }
    switch splitExtension(path).suffix.lowercased() {
    case ".lst": self = .list
    case ".rec": self = .records
    case ".csv": self = .table(separator: UInt8(ascii: ","))
    case ".tsv": self = .table(separator: UInt8(ascii: "\t"))
    // Two columns of numbers, which would pass for a table of paths and labels.
    case ".idx": throw TruthError(.unknownFormat, path: path)
    case ".jsonl", ".ndjson", ".json", ".manifest": self = .lines
    default: self = try Self(sniffing: path)
    }
  }

  private init(sniffing path: String) throws(TruthError) {
    let start = try readingTruth(path) { () throws(FileError) in try readStart(of: path, byteCount: 4096) }
    let line = start.prefix { $0 != UInt8(ascii: "\n") }
    if start.starts(with: littleEndianBytes(RecordLayout.magic)) {
      self = .records
    } else if start.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") {
      self = .lines
    } else if line.count(where: { $0 == UInt8(ascii: "\t") }) >= 2 {
      self = .list
    } else if line.contains(UInt8(ascii: ",")) {
      self = .table(separator: UInt8(ascii: ","))
    } else if line.contains(UInt8(ascii: "\t")) {
      self = .table(separator: UInt8(ascii: "\t"))
    } else if start.isEmpty {
      self = .table(separator: UInt8(ascii: ","))
    } else {
      throw TruthError(.unknownFormat, path: path)
    }
  }
}

private func littleEndianBytes(_ word: UInt32) -> [UInt8] {
  (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) }
}
