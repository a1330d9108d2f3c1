import Encodings

/// The checksum algorithms that S3 supports.
public enum ChecksumAlgorithm: String, CaseIterable, Hashable, Sendable {
  case crc32 = "CRC32"
  case crc32c = "CRC32C"
  case crc64nvme = "CRC64NVME"
  case sha1 = "SHA1"
  case sha256 = "SHA256"

  /// The header that carries the checksum: "x-amz-checksum-crc32".
  public var headerName: String { "x-amz-checksum-\(rawValue.lowercased())" }
  /// The XML element that carries the checksum: "ChecksumCRC32".
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

/// A checksum of an object's bytes, or of the checksums of its parts.
public struct Checksum: Hashable, Sendable {
  public let algorithm: ChecksumAlgorithm
  /// The digest, most significant byte first.
  public let bytes: [UInt8]
  /// For a composite checksum, the number of parts; nil for a checksum of the bytes themselves.
  public let partCount: Int?

  public init(_ algorithm: ChecksumAlgorithm, _ bytes: [UInt8], partCount: Int? = nil) {
    self.algorithm = algorithm
    self.bytes = bytes
    self.partCount = partCount
  }

  /// The checksum in base64, followed by the number of parts if it is composite: "yZRlqg==-3".
  public var text: String { base64Text(bytes) + (partCount.map { "-\($0)" } ?? "") }
  /// The value of S3's ChecksumType.
  public var type: String { partCount == nil ? "FULL_OBJECT" : "COMPOSITE" }

  /// - Parameter text: the checksum in base64, optionally followed by a hyphen and the number of parts.
  /// - Throws: `.invalidRequest` if it is not a checksum of this algorithm.
  public init(_ algorithm: ChecksumAlgorithm, text: String) throws(ObjectError) {
    let parts = text.utf8.split(separator: UInt8(ascii: "-"), maxSplits: 1)
    guard let first = parts.first, let bytes = base64Bytes(String(Substring(first))),
      bytes.count == algorithm.byteCount,
      parts.count == 1 || Int(String(Substring(parts[1]))) != nil
    else {
      throw ObjectError(
        .invalidRequest,
        "'\(shown(text))' is not a \(algorithm.rawValue) checksum; base64 of \(algorithm.byteCount) bytes is expected"
      )
    }
    self.init(algorithm, bytes, partCount: parts.count == 2 ? Int(String(Substring(parts[1]))) : nil)
  }
}

/// Computes a checksum incrementally.
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
      // Drop the reference in `state` first, so that `update` does not copy the digest.
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
  /// Combines the checksums of consecutive parts.
  ///
  /// - Parameter composite: whether to checksum the parts' checksums, which is S3's default except for
  ///   CRC64NVME, or to derive the checksum of the whole object, which only CRCs allow.
  /// - Returns: nil for a whole object's SHA, which cannot be derived from those of the parts.
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
