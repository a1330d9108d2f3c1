extension McNemar {
  /// The exact test (McNemar 1947, statsmodels' `mcnemar(exact=True)`) and its mid-p variant (Fagerland, Lydersen and
  /// Laake 2013).
  /// - Parameters: images that only the one run has right.
  /// - Complexity: O(onlyA + onlyB).
  init(onlyA: Int, onlyB: Int) {
    discordant = onlyA + onlyB
    // Relative to the largest chance, that of half and half: no logarithm or factorial, nothing overflows.
    let fewer = min(onlyA, onlyB)
    let middle = discordant / 2
    var (tail, all, own) = (0.0, 0.0, 0.0)
    var weight = 1.0
    var k = middle
    while true {
      if k == fewer { own = weight }
      if k <= fewer { tail += weight }
      // Symmetric: k and discordant - k are as likely.
      all += 2 * k == discordant ? weight : 2 * weight
      if k == 0 || weight == 0 { break }
      weight *= Double(k) / Double(discordant - k + 1)
      k -= 1
    }
    exactP = min(1, 2 * tail / all)
    midP = max(0, min(1, (2 * tail - own) / all))
  }
}

/// P-values adjusted for their number so that the expected share of false discoveries is at most the q looked at
/// (Benjamini and Hochberg 1995), statsmodels' `multipletests(method="fdr_bh")`.
func benjaminiHochberg(_ values: [Double]) -> [Double] {
  let order = values.indices.sorted { (values[$0], $0) < (values[$1], $1) }
  var adjusted = values
  var least = 1.0
  for (place, index) in order.enumerated().reversed() {
    least = min(least, values[index] * Double(values.count) / Double(place + 1))
    adjusted[index] = least
  }
  return adjusted
}
