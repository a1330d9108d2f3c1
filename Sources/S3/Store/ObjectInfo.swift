public import Encodings
import Glibc

/// An object's metadata: everything about it but its bytes.
public struct ObjectInfo: Hashable, Sendable {
  public let key: String
  public let byteCount: Int
  /// In whole seconds.
  public let modified: UTCTime
  /// Without quotes. The MD5 digest in hexadecimal; for a multipart upload, the MD5 digest of the parts'
  /// digests, followed by a hyphen and the number of parts.
  public let etag: String
  public let attributes: ObjectAttributes
  /// nil if the client asked for none.
  public let checksum: Checksum?
  /// The sizes of the parts of a multipart upload, in order; empty if the object was put in one piece, or if
  /// the sizes are too irregular to be recorded.
  public var parts: [PartRun] = []

  /// The number of parts, at least 1.
  public var partCount: Int { max(1, parts.reduce(0) { $0 + $1.count }) }

  /// The byte range of one part.
  ///
  /// - Parameter number: 1-based.
  /// - Returns: nil if there is no such part.
  /// - Throws: `.notImplemented` if the object was put in parts whose sizes were not recorded.
  public func range(ofPart number: Int) throws(ObjectError) -> Range<Int>? {
    guard !parts.isEmpty else {
      guard !etag.utf8.contains(UInt8(ascii: "-")) else {
        throw ObjectError(.notImplemented, "the part sizes of this object were not recorded")
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

/// Consecutive parts of equal size.
public struct PartRun: Hashable, Sendable {
  /// The number of parts.
  public let count: Int
  /// The size of each part.
  public let byteCount: Int

  /// Run-length encodes part sizes.
  ///
  /// - Returns: an empty array if the sizes need more than 256 runs, to keep records short.
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

/// The headers that a client sends with an object and gets back with it.
public struct ObjectAttributes: Hashable, Sendable {
  /// The recorded headers, by lower-case name: those in `names`, and `x-amz-meta-...`.
  public private(set) var headers: [String: String] = [:]

  /// The recorded headers other than those that begin with `x-amz-meta-`.
  public static let names: Set = [
    "content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
  ]
  public static let metadataPrefix = "x-amz-meta-"
  /// S3's limit, in bytes, on the names and values of all `x-amz-meta-` headers together.
  private static let mostMetadataBytes = 2048
  private static let mostHeaderBytes = 8192

  public init() {}

  /// Picks the headers to record from those of a request and ignores the rest.
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
        .metadataTooLarge, "the metadata has \(metadata) bytes; at most \(Self.mostMetadataBytes) are allowed"
      )
    }
  }

  mutating func keep(_ name: String, _ value: String) { headers[name] = value }
}

/// Identifies one version of a file, to detect whether a record still belongs to it.
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
    // Rounded down to whole seconds, as in S3's headers.
    UTCTime(secondsSince1970: modifiedNanoseconds / 1_000_000_000)
  }

  /// Whether the file last changed more than 100 ms ago. A further change within the same tick of the file
  /// system's clock would leave the modification time as it is, so a younger file's identity proves nothing.
  var isSettled: Bool {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    return Int(now.tv_sec) &* 1_000_000_000 &+ Int(now.tv_nsec) &- modifiedNanoseconds > 100_000_000
  }
}

/// The metadata of an object as stored beside it: what the object's bytes do not say, and what is expensive
/// to compute from them.
///
/// Stored as a few lines of percent-encoded words, which are fast to read when thousands of objects are
/// listed.
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

  /// - Returns: nil unless the bytes are one complete record; the caller then proceeds as if there were none.
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

  /// - Returns: nil if the sizes of the parts do not add up to the object's size.
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
