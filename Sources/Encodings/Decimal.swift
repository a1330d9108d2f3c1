/// Decimal numbers to doubles, correctly rounded: what C's `strtod` and Python's `float` give, bit for bit.
///
/// Two ways, each exact where it applies, else `nil` and the caller asks the standard library:
/// - W. D. Clinger, "How to read floating point numbers accurately" (1990): significand below 2^53 and a power of
///   ten that is itself a double, so that one rounding happens.
/// - D. Lemire, "Number parsing at a gigabyte per second" (2021): the significand times a 128-bit power of five;
///   its leading bits decide the rounding except where the truncated power could change them.
///
/// - Parameter exponent: the power of ten the significand is multiplied by.
/// - Complexity: O(1); two multiplications in nearly every case.
@usableFromInline @inline(__always)
func nearestDouble(_ significand: UInt64, exponent: Int) -> Double? {
  if significand <= 1 << 53 && exponent >= -22 && exponent <= 22 {
    let whole = Double(significand)
    return exponent < 0
      ? whole / PowersOfTen.exact[-exponent] : whole * PowersOfTen.exact[exponent]
  }
  return productWithPowerOfFive(significand, exponent)
}

private func productWithPowerOfFive(_ significand: UInt64, _ exponent: Int) -> Double? {
  if significand == 0 { return 0 }
  // Inside this range every result is a normal double: neither infinity nor fewer bits have to be thought of.
  guard PowersOfFive.exponents.contains(exponent) else { return nil }
  let leadingZeros = significand.leadingZeroBitCount
  let normalised = significand << UInt64(leadingZeros)
  let power = PowersOfFive.table[exponent - PowersOfFive.exponents.lowerBound]
  var (high, low) = normalised.multipliedFullWidth(by: power.high)
  // The nine bits below those that are kept are all ones: the rest of the power may carry into them.
  if high & 0x1FF == 0x1FF {
    let (carry, overflow) = low.addingReportingOverflow(normalised.multipliedFullWidth(by: power.low).high)
    low = carry
    if overflow { high &+= 1 }
  }
  // Only then could what the 128 bits leave out of the power still matter; short powers are whole in them.
  if low == .max && !(-27...55).contains(exponent) { return nil }
  let upperBit = Int(truncatingIfNeeded: high >> 63)
  // 54 bits: the 53 of a double, and one that says which way to round.
  var mantissa = high >> UInt64(upperBit + 9)
  // log2(10^exponent) in 16 fractional bits, then the bias of a double's exponent.
  var binaryExponent = (217_706 * exponent) >> 16 + 63 + upperBit - leadingZeros + 1023
  // Exactly halfway, which only small powers can give: to the even neighbour.
  if low <= 1 && exponent >= -4 && exponent <= 23 && mantissa & 3 == 1
    && mantissa << UInt64(upperBit + 9) == high
  {
    mantissa &= ~1
  }
  mantissa = (mantissa + (mantissa & 1)) >> 1
  if mantissa >= 1 << 53 {
    mantissa = 1 << 52
    binaryExponent += 1
  }
  return Double(bitPattern: mantissa & ~(1 << 52) | UInt64(truncatingIfNeeded: binaryExponent) << 52)
}

enum PowersOfTen {
  /// 10^0 ... 10^22: all powers of ten a double holds exactly.
  static let exact: [Double] = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19,
    1e20, 1e21, 1e22,
  ]
}
