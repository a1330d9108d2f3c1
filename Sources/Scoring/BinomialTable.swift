/// The binomial distribution with `trials` and a chance of `successes` / `trials`, ready to draw from.
///
/// What a class's number of right images looks like when its images are drawn again. Chances below 1e-18 of the
/// largest are left out.
struct BinomialTable {
  private let first: Int
  private var cumulative: [Double]
  /// Where to begin looking in `cumulative`, by equal parts of 0...1.
  private var guide: [Int] = []

  init(trials: Int, successes: Int) {
    guard successes > 0 && successes < trials else {
      first = successes
      cumulative = [1]
      return
    }
    let odds = Double(successes) / Double(trials - successes)
    // `successes` is the mode; relative weights fall from it on both sides.
    var below: [Double] = []
    var weight = 1.0
    var k = successes
    while k > 0 {
      weight *= Double(k) / (Double(trials - k + 1) * odds)
      if weight < 1e-18 { break }
      below.append(weight)
      k -= 1
    }
    first = successes - below.count
    cumulative = below.reversed() + [1]
    weight = 1
    k = successes
    while k < trials {
      weight *= Double(trials - k) * odds / Double(k + 1)
      if weight < 1e-18 { break }
      cumulative.append(weight)
      k += 1
    }
    var sum = 0.0
    for index in cumulative.indices {
      sum += cumulative[index]
      cumulative[index] = sum
    }
    for index in cumulative.indices { cumulative[index] /= sum }
    var place = 0
    for part in cumulative.indices {
      while cumulative[place] <= Double(part) / Double(cumulative.count) { place += 1 }
      guide.append(place)
    }
  }

  func draw(_ generator: inout SeededGenerator) -> Int {
    if guide.isEmpty { return first }
    let wanted = generator.fraction()
    var place = guide[min(guide.count - 1, Int(wanted * Double(guide.count)))]
    // The last is 1.
    while cumulative[place] <= wanted { place += 1 }
    return first + place
  }
}
