public import Encodings
import Glibc

/// What is kept of an object beside its bytes.
public struct ObjectInfo: Hashable, Sendable {
  public let key: String
  public let byteCount: Int
  public let modified: UTCTime
  /// Without quotes: the MD5 digest in hexadecimal; of an object put in parts, that of its parts' digests, and their
  /// number behind a hyphen.
  public let etag: String
  public let attributes: ObjectAttributes
  public let checksum: Checksum?
  /// Sizes of the parts that it was put in, in their order; empty: it was put as a whole, or they are not kept.
  public var parts: [PartRun] = []

  /// How many parts it was put in: at least one.
  public var partCount: Int { max(1, parts.reduce(0) { $0 + $1.count }) }

  /// The bytes of one of the parts it was put in.
  ///
  /// - Parameter number: from 1 on.
  /// - Returns: nil: there is no such part.
  /// - Throws: `.notImplemented` where it was put in parts whose sizes are not kept.
  public func range(ofPart number: Int) throws(ObjectError) -> Range<Int>? {
    guard !parts.isEmpty else {
      guard !etag.utf8.contains(UInt8(ascii: "-")) else {
        throw ObjectError(.notImplemented, "the sizes of the parts of this object were not kept")
      }
      return number == 1 ? 0..<byteCount : nil
    }
    var (first, start) = (1, 0)
    for run in parts {
      if number < first + run.count {
        start += (number - first) * run.byteCount
        return number < first ? nil : start..<start + run.byteCount
      }
      first += run.count
      start += run.count * run.byteCount
    }
    return nil
  }
}

/// Parts of one size that follow each other.
public struct PartRun: Hashable, Sendable {
  public let count: Int
  public let byteCount: Int

  /// - Returns: none where they differ so often that they would make a long record.
  static func runs(_ byteCounts: [Int]) -> [PartRun] {
    var runs: [PartRun] = []
    for byteCount in byteCounts {
      if let last = runs.last, last.byteCount == byteCount {
        runs[runs.count - 1] = PartRun(count: last.count + 1, byteCount: byteCount)
      } else {
        runs.append(PartRun(count: 1, byteCount: byteCount))
      }
    }
    return runs.count <= 256 ? runs : []
  }
}

/// What a client says of an object when it puts it, and is told when it asks for it.
public struct ObjectAttributes: Hashable, Sendable {
  /// Headers, names in lower case: `content-type` and its like, and `x-amz-meta-...`.
  public private(set) var headers: [String: String] = [:]

  /// The headers that are kept, other than those that begin with `x-amz-meta-`.
  public static let names: Set = [
    "content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
  ]
  public static let metadataPrefix = "x-amz-meta-"
  /// S3's bound for names and values of `x-amz-meta-` together.
  private static let mostMetadataBytes = 2048
  private static let mostHeaderBytes = 8192

  public init() {}

  /// Takes what is to be kept among the headers of a request; others are passed over.
  ///
  /// - Throws: `.metadataTooLarge`.
  public init(_ fields: [(name: String, value: String)]) throws(ObjectError) {
    var (metadata, others) = (0, 0)
    for (name, value) in fields {
      let name = name.lowercased()
      if name.hasPrefix(Self.metadataPrefix) {
        metadata += name.utf8.count - Self.metadataPrefix.utf8.count + value.utf8.count
      } else if Self.names.contains(name) {
        others += value.utf8.count
      } else {
        continue
      }
      headers[name] = headers[name].map { "\($0),\(value)" } ?? value
    }
    guard metadata <= Self.mostMetadataBytes, others <= Self.mostHeaderBytes else {
      throw ObjectError(
        .metadataTooLarge, "the metadata has \(metadata) bytes; \(Self.mostMetadataBytes) are allowed")
    }
  }

  mutating func keep(_ name: String, _ value: String) { headers[name] = value }
}

/// What tells whether a file is still the one that a record was written of.
struct FileIdentity: Hashable, Sendable {
  let inode: UInt64
  let byteCount: Int
  let modifiedNanoseconds: Int

  init(inode: UInt64, byteCount: Int, modifiedNanoseconds: Int) {
    self.inode = inode
    self.byteCount = byteCount
    self.modifiedNanoseconds = modifiedNanoseconds
  }

  init(_ status: stat) {
    inode = UInt64(status.st_ino)
    byteCount = Int(status.st_size)
    modifiedNanoseconds = Int(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int(status.st_mtim.tv_nsec)
  }

  var modified: UTCTime {
    // Whole seconds, as S3's headers have them.
    UTCTime(secondsSince1970: modifiedNanoseconds / 1_000_000_000)
  }

  /// Whether the last change is a while ago: one that comes in the same tick of the file system's clock would not show.
  var isSettled: Bool {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    return Int(now.tv_sec) &* 1_000_000_000 &+ Int(now.tv_nsec) &- modifiedNanoseconds > 100_000_000
  }
}

/// The side file of an object: what its bytes do not say, and what takes long to compute from them.
///
/// A few lines of words, each percent-encoded: quick to read where thousands are listed.
struct ObjectRecord: Hashable, Sendable {
  let key: String
  let identity: FileIdentity
  let etag: String
  let attributes: ObjectAttributes
  let checksum: Checksum?
  let parts: [PartRun]

  private static let head = "imrec-object 1"

  var text: String {
    var lines = [
      Self.head, "key \(percentEncoded(key.utf8))",
      "file \(identity.inode) \(identity.byteCount) \(identity.modifiedNanoseconds)", "etag \(etag)",
    ]
    if let checksum { lines.append("checksum \(checksum.algorithm.rawValue) \(checksum.text)") }
    if !parts.isEmpty { lines.append("parts" + parts.map { " \($0.count)x\($0.byteCount)" }.joined()) }
    for (name, value) in attributes.headers.sorted(by: { $0.key < $1.key }) {
      lines.append("header \(percentEncoded(name.utf8)) \(percentEncoded(value.utf8))")
    }
    return lines.joined(separator: "\n") + "\nend\n"
  }

  init(
    key: String, identity: FileIdentity, etag: String, attributes: ObjectAttributes, checksum: Checksum?,
    parts: [PartRun] = []
  ) {
    self.key = key
    self.identity = identity
    self.etag = etag
    self.attributes = attributes
    self.checksum = checksum
    self.parts = parts
  }

  /// - Returns: nil for anything but a whole record: then it is as if there were none.
  init?(_ bytes: [UInt8]) {
    var lines = bytes.split(separator: UInt8(ascii: "\n"))[...]
    guard lines.popFirst()?.elementsEqual(Self.head.utf8) == true,
      lines.popLast()?.elementsEqual("end".utf8) == true
    else { return nil }
    var (key, etag): (String?, String?) = (nil, nil)
    var identity: FileIdentity?
    var attributes = ObjectAttributes()
    var checksum: Checksum?
    var parts: [PartRun] = []
    for line in lines {
      let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        .map { String(decoding: $0, as: UTF8.self) }
      switch (words[0], words.count) {
      case ("key", 2): key = percentDecodedText(words[1])
      case ("etag", 2): etag = words[1]
      case ("file", 4):
        guard let inode = UInt64(words[1]), let count = Int(words[2]), let time = Int(words[3]) else {
          return nil
        }
        identity = FileIdentity(inode: inode, byteCount: count, modifiedNanoseconds: time)
      case ("checksum", 3):
        checksum = ChecksumAlgorithm(rawValue: words[1]).flatMap { try? Checksum($0, text: words[2]) }
      case ("parts", _):
        guard let runs = Self.parts(words.dropFirst(), of: identity?.byteCount) else { return nil }
        parts = runs
      case ("header", 3):
        guard let name = percentDecodedText(words[1]), let value = percentDecodedText(words[2]) else {
          return nil
        }
        attributes.keep(name, value)
      default: return nil
      }
    }
    guard let key, let etag, let identity else { return nil }
    self.init(
      key: key, identity: identity, etag: etag, attributes: attributes, checksum: checksum, parts: parts)
  }

  /// - Returns: nil where the parts do not make up the whole.
  private static func parts(_ words: ArraySlice<String>, of byteCount: Int?) -> [PartRun]? {
    var (runs, total) = ([PartRun](), 0)
    for word in words {
      let numbers = word.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
      guard numbers.count == 2, let count = numbers[0], let size = numbers[1], count > 0, size >= 0 else {
        return nil
      }
      let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow, let byteCount, bytes <= byteCount - total, count <= ObjectStore.mostParts else {
        return nil
      }
      total += bytes
      runs.append(PartRun(count: count, byteCount: size))
    }
    return total == byteCount ? runs : nil
  }

  func info() -> ObjectInfo {
    ObjectInfo(
      key: key, byteCount: identity.byteCount, modified: identity.modified, etag: etag,
      attributes: attributes, checksum: checksum, parts: parts)
  }
}
