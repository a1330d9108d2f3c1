/// A sum that does not depend on the order of its terms.
///
/// Terms are cut to multiples of 2^-80 and added as integers, so that the images of a run may come in any order and
/// tallies may be merged in any way. Right within 2^-80 a term; terms of magnitude 2^22 or more saturate (none of the
/// metrics has any).
struct ExactSum: Hashable, Sendable {
  /// In units of 2^-80.
  private var units: Int128 = 0

  init() {}

  init(_ values: some Sequence<Double>) {
    for value in values { add(value) }
  }

  mutating func add(_ term: Double) {
    let scaled = max(-0x1p62, min(0x1p62, term * 0x1p40))
    let whole = scaled.rounded(.down)
    let rest = (scaled - whole) * 0x1p40
    units &+= Int128(Int64(whole)) << 40 &+ Int128(Int64(rest))
  }

  mutating func add(_ other: ExactSum) { units &+= other.units }

  var value: Double { Double(units) * 0x1p-80 }
}
