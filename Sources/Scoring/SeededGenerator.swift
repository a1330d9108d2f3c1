/// xoshiro256** (Blackman and Vigna 2018), seeded through SplitMix64: the same numbers on every machine.
struct SeededGenerator: RandomNumberGenerator {
  private var a: UInt64
  private var b: UInt64
  private var c: UInt64
  private var d: UInt64

  init(seed: UInt64) {
    var state = seed
    func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
    (a, b, c, d) = (next(), next(), next(), next())
  }

  mutating func next() -> UInt64 {
    let scrambled = b &* 5
    let result = ((scrambled << 7) | (scrambled >> 57)) &* 9
    let shifted = b << 17
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = (d << 45) | (d >> 19)
    return result
  }

  /// 0 up to, not including, `bound`; each with the same chance up to bound / 2^64.
  mutating func index(below bound: Int) -> Int {
    Int(UInt64(bound).multipliedFullWidth(by: next()).high)
  }

  /// Two of them from one number, where `bound` is below 2^32; each with the same chance up to bound / 2^32.
  mutating func indices(below bound: Int) -> (Int, Int) {
    let (bits, bound) = (next(), UInt64(bound))
    return (Int(((bits >> 32) &* bound) >> 32), Int(((bits & 0xFFFF_FFFF) &* bound) >> 32))
  }

  /// 0..<1 in steps of 2^-53.
  mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }
}
