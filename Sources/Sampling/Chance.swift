/// Repeatable chance: SplitMix64, so that a picture depends on its seed alone, on every machine.
struct Chance {
  private var state: UInt64

  /// The chance of one picture, or of one class, apart from all others.
  init(seed: UInt64, _ place: Int...) {
    state = seed
    for number in place {
      state = next() ^ UInt64(truncatingIfNeeded: number) &* 0xd1b5_4a32_d192_ed03
    }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return mixed(state)
  }

  /// Evenly from `range`.
  mutating func real(_ range: ClosedRange<Double>) -> Double {
    let unit = Double(next() >> 11) * 0x1p-53
    return range.lowerBound + unit * (range.upperBound - range.lowerBound)
  }

  mutating func integer(_ range: ClosedRange<Int>) -> Int {
    // The range is short, so that the bias of a remainder is nothing.
    range.lowerBound + Int(next() >> 33) % (range.upperBound - range.lowerBound + 1)
  }

  mutating func happens(_ probability: Double) -> Bool { real(0...1) < probability }

  mutating func pick<T>(_ choices: [T]) -> T { choices[integer(0...(choices.count - 1))] }
}

/// SplitMix64's last step: each bit of the result depends on each bit of `value`.
func mixed(_ value: UInt64) -> UInt64 {
  var z = value
  z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
  z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
  return z ^ (z >> 31)
}
