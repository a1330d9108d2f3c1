/// 2^64 over the golden ratio, made odd: what SplitMix64 adds to its state at each step.
public let goldenRatio64: UInt64 = 0x9E37_79B9_7F4A_7C15

/// The output function of SplitMix64 (Steele, Lea, Flood 2014): each bit of the result depends on each bit of `value`.
@inlinable
public func mixedBits(_ value: UInt64) -> UInt64 {
  var word = value
  word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
  word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
  return word ^ word >> 31
}

/// FNV-1a of 64 bits: the same on every machine. It finds accidents, and is no defence against anybody who tries.
@inlinable
public func fnv1a(_ bytes: some Sequence<UInt8>) -> UInt64 {
  bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}
