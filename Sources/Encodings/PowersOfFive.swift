/// The leading 128 bits of the powers of five, the highest bit set, computed when first needed.
///
/// What does not fit is cut off. Only 5^-1 ... 5^-27 are rounded up: there a significand can be a multiple of the power,
/// and a product that falls short of it would hide that the result is exact or exactly halfway.
enum PowersOfFive {
  /// Significands of 64 bits times these powers of ten are normal doubles. Probabilities lie well inside.
  static let exponents = -160...160

  struct Power {
    var high: UInt64
    var low: UInt64
  }

  static let table: [Power] = makeTable()

  private static func makeTable() -> [Power] {
    var power = WideNumber(1)
    var positive = [power.leadingBits]
    var negative: [Power] = []
    for exponent in 1...exponents.upperBound {
      power.multiply(by: 5)
      positive.append(power.leadingBits)
      negative.append(power.reciprocalBits(roundedUp: exponent <= 27))
    }
    return negative.reversed() + positive
  }
}

/// A whole number of many 32-bit digits, the lowest first; no leading zeros.
private struct WideNumber {
  private var digits: [UInt32]

  init(_ digit: UInt32) { digits = [digit] }

  mutating func multiply(by factor: UInt32) {
    var carry: UInt64 = 0
    for index in digits.indices {
      carry += UInt64(digits[index]) * UInt64(factor)
      digits[index] = UInt32(truncatingIfNeeded: carry)
      carry >>= 32
    }
    if carry > 0 { digits.append(UInt32(truncatingIfNeeded: carry)) }
  }

  private var bitCount: Int { digits.count * 32 - (digits.last?.leadingZeroBitCount ?? 0) }

  private func bit(_ place: Int) -> Bool {
    place >= 0 && place / 32 < digits.count && digits[place / 32] >> UInt32(place % 32) & 1 == 1
  }

  /// The highest 128 bits, the rest cut off; zeros below a shorter number.
  var leadingBits: PowersOfFive.Power {
    let top = bitCount
    return power { bit(top - 1 - $0) }
  }

  /// The highest 128 bits of 1 / self.
  func reciprocalBits(roundedUp: Bool) -> PowersOfFive.Power {
    // Long division of the power of two just below self: the first bit of each quotient is set.
    var rest = WideNumber(digits: [UInt32](repeating: 0, count: digits.count))
    rest.set(bitCount - 1)
    var bits = power { _ in rest.doubleAndReduce(by: self) }
    if roundedUp {
      bits.low &+= 1
      if bits.low == 0 { bits.high &+= 1 }
    }
    return bits
  }

  private func power(_ next: (Int) -> Bool) -> PowersOfFive.Power {
    var bits = PowersOfFive.Power(high: 0, low: 0)
    for place in 0..<64 { bits.high |= next(place) ? 1 << UInt64(63 - place) : 0 }
    for place in 64..<128 { bits.low |= next(place) ? 1 << UInt64(127 - place) : 0 }
    return bits
  }

  private init(digits: [UInt32]) { self.digits = digits }

  private mutating func set(_ place: Int) { digits[place / 32] |= 1 << UInt32(place % 32) }

  /// One step of a long division: doubles the rest and takes the divisor away where it fits.
  private mutating func doubleAndReduce(by divisor: WideNumber) -> Bool {
    var carry: UInt32 = 0
    for index in digits.indices {
      let next = digits[index] >> 31
      digits[index] = digits[index] << 1 | carry
      carry = next
    }
    if carry > 0 { digits.append(carry) }
    guard !isLess(than: divisor) else { return false }
    var borrow: Int64 = 0
    for index in digits.indices {
      let difference =
        Int64(digits[index]) - (index < divisor.digits.count ? Int64(divisor.digits[index]) : 0) + borrow
      digits[index] = UInt32(truncatingIfNeeded: difference)
      borrow = difference >> 32
    }
    digits.removeLast(digits.count - divisor.digits.count)
    return true
  }

  private func isLess(than other: WideNumber) -> Bool {
    if digits.count != other.digits.count { return digits.count < other.digits.count }
    for index in digits.indices.reversed() where digits[index] != other.digits[index] {
      return digits[index] < other.digits[index]
    }
    return false
  }
}
