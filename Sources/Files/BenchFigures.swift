import Glibc

// What every bench of this program needs, however different what it measures.

/// The quantile of ascending values, interpolated linearly between neighbours as numpy's `quantile(method="linear")`; 0
/// where there are no values.
/// - Parameter fraction: 0...1.
package func quantile(ofSorted sorted: [Double], _ fraction: Double) -> Double {
  guard let last = sorted.last else { return 0 }
  let place = fraction * Double(sorted.count - 1)
  let index = Int(exactly: place.rounded(.down)) ?? 0
  guard index + 1 < sorted.count else { return last }
  return sorted[index] + (sorted[index + 1] - sorted[index]) * (place - Double(index))
}

/// The quantile of values in any order, interpolated linearly; 0 where there are none.
package func quantile(_ values: [Double], _ share: Double) -> Double {
  quantile(ofSorted: values.sorted(), share)
}

package func median(_ values: [Double]) -> Double { quantile(values, 0.5) }

/// Numbers like those of a picture, 0 to 255.
package func imaginedSamples(_ count: Int) -> [Float] {
  var state: UInt32 = 1
  return (0..<count).map { _ in
    state = state &* 1_664_525 &+ 1_013_904_223
    return Float(state >> 24)
  }
}

/// The most memory that this process has had, in bytes.
package func peakMemory() -> Int {
  var usage = rusage()
  guard unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
  return usage.ru_maxrss * 1024
}
