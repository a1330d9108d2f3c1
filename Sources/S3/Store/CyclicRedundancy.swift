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
          let low =
            unsafe tables[1792 &+ Int(x & 255)] ^ tables[1536 &+ Int(x >> 8 & 255)]
            ^ tables[1280 &+ Int(x >> 16 & 255)] ^ tables[1024 &+ Int(x >> 24 & 255)]
          let high =
            unsafe tables[768 &+ Int(x >> 32 & 255)] ^ tables[512 &+ Int(x >> 40 & 255)]
            ^ tables[256 &+ Int(x >> 48 & 255)] ^ tables[Int(x >> 56)]
          sum = low ^ high
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
