/// Eight logarithms or powers of e at once, within 10^-14 of them, the same on every machine.
///
/// The temperature needs one of each for every probability; the C library's, one at a time, take most of its time.
enum Elementary {
  typealias Lanes = SIMD8<Double>
  private typealias Bits = SIMD8<UInt64>

  // The logarithm of 2 in two parts: multiples of the first by whole numbers below 2^11 are exact.
  private static let ln2High = 0x1.62e42fefa38p-1
  private static let ln2Low = 0x1.ef35793c7673p-45
  /// Numbers from here on have no fraction: adding it rounds to a whole number, in the lowest bits.
  private static let rounder = 0x1.8p52

  /// e^x of numbers not above 0; below -700 as of -700.
  @inline(__always)
  static func exp(_ x: Lanes) -> Lanes {
    let x = x.replacing(with: -700, where: x .< -700)
    let shifted = x * 1.4426950408889634 + rounder
    let whole = shifted - rounder
    let r = (x - whole * ln2High) - whole * ln2Low
    // The series of e^r - 1 - r; |r| is at most ln 2 / 2.
    var p = Lanes(repeating: 1.0 / 479_001_600)
    p = p * r + 1.0 / 39_916_800
    p = p * r + 1.0 / 3_628_800
    p = p * r + 1.0 / 362_880
    p = p * r + 1.0 / 40_320
    p = p * r + 1.0 / 5_040
    p = p * r + 1.0 / 720
    p = p * r + 1.0 / 120
    p = p * r + 1.0 / 24
    p = p * r + 1.0 / 6
    p = p * r + 0.5
    p = p * r * r + r + 1
    // Times 2^whole: the whole number is added to the exponent.
    let exponent = unsafe unsafeBitCast(shifted, to: Bits.self) &<< 52
    return unsafe unsafeBitCast(unsafeBitCast(p, to: Bits.self) &+ exponent, to: Lanes.self)
  }

  /// The natural logarithm of normal numbers above 0.
  @inline(__always)
  static func log(_ x: Lanes) -> Lanes {
    // x = 2^k m with m from sqrt(1/2) to sqrt(2).
    let root = UInt64(0x3FE6_A09E_667F_3BCD)
    let one = UInt64(0x3FF0_0000_0000_0000)
    let moved = unsafe unsafeBitCast(x, to: Bits.self) &+ Bits(repeating: one &- root)
    let mantissa = (moved & Bits(repeating: 0x000F_FFFF_FFFF_FFFF)) &+ Bits(repeating: root)
    let m = unsafe unsafeBitCast(mantissa, to: Lanes.self)
    // The biased exponent, below 2^11, as the lowest bits of a number of 2^52.
    let biased = (moved &>> 52) | Bits(repeating: 0x4330_0000_0000_0000)
    let k = unsafe unsafeBitCast(biased, to: Lanes.self) - (0x1p52 + 1023)
    // log m = 2 artanh s, s = (m - 1) / (m + 1).
    let f = m - 1
    let s = f / (f + 2)
    let z = s * s
    var p = Lanes(repeating: 2.0 / 19)
    p = p * z + 2.0 / 17
    p = p * z + 2.0 / 15
    p = p * z + 2.0 / 13
    p = p * z + 2.0 / 11
    p = p * z + 2.0 / 9
    p = p * z + 2.0 / 7
    p = p * z + 2.0 / 5
    p = p * z + 2.0 / 3
    // f - s * f is 2s without its rounding error.
    return k * ln2High + (f - (s * (f - z * p) - k * ln2Low))
  }
}
