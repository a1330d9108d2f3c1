import Encodings

/// The checksums that S3 keeps beside objects.
public enum ChecksumAlgorithm: String, CaseIterable, Hashable, Sendable {
  case crc32 = "CRC32"
  case crc32c = "CRC32C"
  case crc64nvme = "CRC64NVME"
  case sha1 = "SHA1"
  case sha256 = "SHA256"

  /// "x-amz-checksum-crc32"
  public var headerName: String { "x-amz-checksum-\(rawValue.lowercased())" }
  /// "ChecksumCRC32"
  public var elementName: String { "Checksum\(rawValue)" }

  var byteCount: Int {
    switch self {
    case .crc32, .crc32c: 4
    case .crc64nvme: 8
    case .sha1: 20
    case .sha256: 32
    }
  }

  var polynomial: CyclicRedundancy.Polynomial? {
    switch self {
    case .crc32: .crc32
    case .crc32c: .crc32c
    case .crc64nvme: .crc64nvme
    case .sha1, .sha256: nil
    }
  }
}

/// A checksum of an object, or of the checksums of its parts.
public struct Checksum: Hashable, Sendable {
  public let algorithm: ChecksumAlgorithm
  public let bytes: [UInt8]
  /// The number of parts whose checksums this is the checksum of; nil: it is of the bytes themselves.
  public let partCount: Int?

  public init(_ algorithm: ChecksumAlgorithm, _ bytes: [UInt8], partCount: Int? = nil) {
    self.algorithm = algorithm
    self.bytes = bytes
    self.partCount = partCount
  }

  /// In base64; of parts with their number: "yZRlqg==-3".
  public var text: String { base64Text(bytes) + (partCount.map { "-\($0)" } ?? "") }
  /// S3's ChecksumType.
  public var type: String { partCount == nil ? "FULL_OBJECT" : "COMPOSITE" }

  /// - Parameter text: in base64, perhaps with a number of parts.
  /// - Throws: `.invalidRequest` where it is no checksum of this kind.
  public init(_ algorithm: ChecksumAlgorithm, text: String) throws(ObjectError) {
    let parts = text.utf8.split(separator: UInt8(ascii: "-"), maxSplits: 1)
    guard let first = parts.first, let bytes = base64Bytes(String(Substring(first))),
      bytes.count == algorithm.byteCount,
      parts.count == 1 || Int(String(Substring(parts[1]))) != nil
    else {
      throw ObjectError(
        .invalidRequest,
        "'\(shown(text))' is no \(algorithm.rawValue) checksum: base64 of \(algorithm.byteCount) bytes is")
    }
    self.init(algorithm, bytes, partCount: parts.count == 2 ? Int(String(Substring(parts[1]))) : nil)
  }
}

/// Computes a checksum of bytes that come in pieces.
struct ChecksumState: Sendable {
  private enum State: Sendable {
    case cyclic(CyclicRedundancy)
    case digest(Digest)
  }
  let algorithm: ChecksumAlgorithm
  private var state: State

  init(_ algorithm: ChecksumAlgorithm) {
    self.algorithm = algorithm
    if let polynomial = algorithm.polynomial {
      state = .cyclic(CyclicRedundancy(polynomial))
    } else {
      state = .digest(Digest(algorithm == .sha1 ? .sha1 : .sha256))
    }
  }

  mutating func update(_ bytes: Span<UInt8>) {
    switch state {
    case .cyclic(var sum):
      sum.update(bytes)
      state = .cyclic(sum)
    case .digest(var digest):
      // Only one value refers to the digest then, and it is not copied.
      state = .cyclic(CyclicRedundancy(.crc32))
      digest.update(bytes)
      state = .digest(digest)
    }
  }

  var checksum: Checksum {
    switch state {
    case .cyclic(let sum): Checksum(algorithm, sum.bytes)
    case .digest(let digest): Checksum(algorithm, digest.bytes)
    }
  }
}

extension Checksum {
  /// The checksum of parts one after the other, from those of the parts.
  ///
  /// - Parameter composite: of their checksums' bytes, as S3 has it for SHA and, unless told otherwise, for CRC32; else
  ///   of the whole, which cyclic checksums allow.
  /// - Returns: nil for a whole's SHA, which only its bytes could tell.
  static func joined(
    _ parts: [(checksum: Checksum, byteCount: Int)], _ algorithm: ChecksumAlgorithm, composite: Bool
  )
    -> Checksum?
  {
    if composite {
      var state = ChecksumState(algorithm)
      for part in parts { state.update(part.checksum.bytes.span) }
      return Checksum(algorithm, state.checksum.bytes, partCount: parts.count)
    }
    guard let polynomial = algorithm.polynomial else { return nil }
    var sum = CyclicRedundancy(polynomial)
    for part in parts {
      sum.append(CyclicRedundancy(polynomial, bytes: part.checksum.bytes), byteCount: part.byteCount)
    }
    return Checksum(algorithm, sum.bytes)
  }
}
