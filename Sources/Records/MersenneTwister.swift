/// The generator MT19937, with the seeding and the draws of CPython's `random`, so that lists are shuffled as by
/// `im2rec.py`.
///
/// Source: Matsumoto and Nishimura, `init_by_array` and `genrand_int32`; CPython `Lib/random.py` (3.2 and later).
public struct MersenneTwister: Sendable {
  private static let size = 624
  private var state: [UInt32]
  private var index = MersenneTwister.size

  /// Seeds the generator as `init_by_array`.
  ///
  /// - Precondition: `key` has at least one word.
  public init(key: [UInt32]) {
    precondition(!key.isEmpty, "a key has at least one word")
    let size = Self.size
    state = [UInt32](repeating: 0, count: size)
    state[0] = 19_650_218
    for i in 1..<size {
      state[i] = 1_812_433_253 &* (state[i - 1] ^ state[i - 1] >> 30) &+ UInt32(i)
    }
    var (i, j) = (1, 0)
    for _ in 0..<max(size, key.count) {
      state[i] =
        (state[i] ^ (state[i - 1] ^ state[i - 1] >> 30) &* 1_664_525) &+ key[j]
        &+ UInt32(truncatingIfNeeded: j)
      (i, j) = (i + 1, (j + 1) % key.count)
      if i == size { (state[0], i) = (state[size - 1], 1) }
    }
    for _ in 1..<size {
      state[i] = (state[i] ^ (state[i - 1] ^ state[i - 1] >> 30) &* 1_566_083_941) &- UInt32(i)
      i += 1
      if i == size { (state[0], i) = (state[size - 1], 1) }
    }
    state[0] = 0x8000_0000
  }

  /// Seeds the generator as `random.seed(seed)`: with the magnitude of `seed` in 32-bit words, the lowest first.
  public init(seed: Int) {
    let magnitude = UInt64(seed.magnitude)
    let low = UInt32(truncatingIfNeeded: magnitude)
    let high = UInt32(truncatingIfNeeded: magnitude >> 32)
    self.init(key: high == 0 ? [low] : [low, high])
  }

  /// The next 32 random bits.
  public mutating func next() -> UInt32 {
    if index == Self.size { twist() }
    var word = state[index]
    index += 1
    word ^= word >> 11
    word ^= word << 7 & 0x9d2c_5680
    word ^= word << 15 & 0xefc6_0000
    return word ^ word >> 18
  }

  private mutating func twist() {
    let (size, shift) = (Self.size, 397)
    for i in 0..<size {
      let word = state[i] & 0x8000_0000 | state[(i + 1) % size] & 0x7fff_ffff
      state[i] = state[(i + shift) % size] ^ word >> 1 ^ (word & 1 == 0 ? 0 : 0x9908_b0df)
    }
    index = 0
  }

  /// A number in `0..<bound`, as from CPython's `_randbelow`: as many bits as `bound` has, drawn again until they are
  /// below.
  ///
  /// - Precondition: `bound` is at least 1.
  public mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0, "the bound is at least 1")
    let bitCount = Int.bitWidth - bound.leadingZeroBitCount
    while true {
      let value = bits(bitCount)
      if value < bound { return value }
    }
  }

  /// `getrandbits(count)`, for a `count` in 1...63: the low word is drawn first, and the high one is shortened.
  private mutating func bits(_ count: Int) -> Int {
    if count <= 32 { return Int(next() >> UInt32(32 - count)) }
    let low = Int(next())
    return Int(next() >> UInt32(64 - count)) << 32 | low
  }

  /// Shuffles as `random.shuffle`.
  public mutating func shuffle<Element>(_ elements: inout [Element]) {
    for i in stride(from: elements.count - 1, to: 0, by: -1) {
      elements.swapAt(i, below(i + 1))
    }
  }
}
