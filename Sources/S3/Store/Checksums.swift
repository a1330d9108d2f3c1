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

/// A reflected cyclic redundancy check with all-ones initial value and final XOR: CRC-32, CRC-32C,
/// CRC-64/NVME.
struct CyclicRedundancy: Sendable {
  struct Polynomial: Sendable {
    /// 32 or 64.
    let bitCount: Int
    let reflected: UInt64
    /// Slicing-by-8 tables, eight of 256 entries: the effect of a byte followed by 0 to 7 other bytes.
    let tables: [UInt64]

    static let crc32 = Polynomial(32, 0xEDB8_8320)
    static let crc32c = Polynomial(32, 0x82F6_3B78)
    static let crc64nvme = Polynomial(64, 0x9A6C_9329_AC4B_C9B5)

    private init(_ bitCount: Int, _ reflected: UInt64) {
      self.bitCount = bitCount
      self.reflected = reflected
      var tables = [UInt64](repeating: 0, count: 8 * 256)
      for byte in 0..<256 {
        var sum = UInt64(byte)
        for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ reflected : sum >> 1 }
        tables[byte] = sum
      }
      for index in 256..<tables.count {
        let sum = tables[index - 256]
        tables[index] = tables[Int(sum & 255)] ^ sum >> 8
      }
      self.tables = tables
    }

    var ones: UInt64 { bitCount == 64 ? .max : 1 << UInt64(bitCount) - 1 }
    /// The polynomial 1 in reflected bit order.
    var one: UInt64 { 1 << UInt64(bitCount - 1) }

    /// The product of two polynomials modulo this one; O(`bitCount`).
    func product(_ left: UInt64, _ right: UInt64) -> UInt64 {
      var (bit, factor, sum) = (one, right, UInt64(0))
      while bit != 0 {
        if left & bit != 0 { sum ^= factor }
        bit >>= 1
        factor = factor & 1 == 1 ? factor >> 1 ^ reflected : factor >> 1
      }
      return sum
    }

    /// The factor that appending `byteCount` zero bytes multiplies a sum by; O(log `byteCount`) products.
    func shift(byteCount: Int) -> UInt64 {
      // x^8, squared once per binary digit of the count.
      var (power, result, left) = (one >> 8, one, byteCount)
      while left > 0 {
        if left & 1 == 1 { result = product(result, power) }
        power = product(power, power)
        left >>= 1
      }
      return result
    }
  }

  private let polynomial: Polynomial
  private var sum: UInt64

  init(_ polynomial: Polynomial) {
    self.polynomial = polynomial
    sum = polynomial.ones
  }

  /// - Parameter bytes: a finished checksum, most significant byte first.
  init(_ polynomial: Polynomial, bytes: [UInt8]) {
    self.polynomial = polynomial
    sum = bytes.reduce(0) { $0 << 8 | UInt64($1) } ^ polynomial.ones
  }

  /// The finished checksum, most significant byte first.
  var bytes: [UInt8] {
    let value = sum ^ polynomial.ones
    return (0..<polynomial.bitCount / 8).reversed().map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }

  mutating func update(_ bytes: Span<UInt8>) {
    var sum = sum
    unsafe polynomial.tables.withUnsafeBufferPointer { tables in
      unsafe bytes.withUnsafeBytes { bytes in
        var place = 0
        while place &+ 8 <= bytes.count {
          let x =
            unsafe sum ^ UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
          // In bounds: each index is one byte, and each table has 256 entries.
          func entry(_ table: Int, _ shift: UInt64) -> UInt64 {
            unsafe tables[table &* 256 &+ Int(x >> shift & 255)]
          }
          sum = entry(7, 0) ^ entry(6, 8) ^ entry(5, 16) ^ entry(4, 24)
          sum ^= entry(3, 32) ^ entry(2, 40) ^ entry(1, 48) ^ entry(0, 56)
          place &+= 8
        }
        while place < bytes.count {
          sum = unsafe tables[Int((sum ^ UInt64(bytes[place])) & 255)] ^ sum >> 8
          place &+= 1
        }
      }
    }
    self.sum = sum
  }

  /// Turns this sum into that of both inputs concatenated.
  ///
  /// - Parameter byteCount: the length of the other sum's input.
  mutating func append(_ other: CyclicRedundancy, byteCount: Int) {
    let (first, second) = (sum ^ polynomial.ones, other.sum ^ polynomial.ones)
    sum = polynomial.product(polynomial.shift(byteCount: byteCount), first) ^ second ^ polynomial.ones
  }
}
