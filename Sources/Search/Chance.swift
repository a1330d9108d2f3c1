/// Repeatable chance that depends on its key alone: SplitMix64 (Steele, Lea, Flood 2014), the key mixed in number by
/// number.
struct Chance: RandomNumberGenerator {
  private var state: UInt64

  init(_ key: UInt64...) {
    state = 0x9e37_79b9_7f4a_7c15
    for number in key { state = Self.mixed(state &+ 0x9e37_79b9_7f4a_7c15 ^ Self.mixed(number)) }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Self.mixed(state)
  }

  /// 0..<1 in steps of 2^-53.
  mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// 0..<bound; each with the same chance up to bound / 2^64.
  /// - Precondition: `bound` is at least 1.
  mutating func index(below bound: Int) -> Int {
    precondition(bound >= 1, "there is something to draw from")
    return Int(UInt64(bound).multipliedFullWidth(by: next()).high)
  }

  /// A number of mean 0 and deviation 1.
  mutating func normal() -> Double { Normal.quantile((Double(next() >> 12) + 0.5) * 0x1p-52) }

  mutating func point(_ count: Int) -> [Double] { (0..<count).map { _ in fraction() } }

  /// Each bit of the result depends on each bit of `value`.
  private static func mixed(_ value: UInt64) -> UInt64 {
    var word = value
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }
}
