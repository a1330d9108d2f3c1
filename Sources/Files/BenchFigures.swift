import Glibc

// What every bench of this program needs, however different what it measures.

/// Between the two nearest where it falls between them; 0 of nothing.
package func quantile(_ values: [Double], _ share: Double) -> Double {
  let sorted = values.sorted()
  guard let last = sorted.last else { return 0 }
  let place = share * Double(sorted.count - 1)
  let low = Int(place)
  guard low + 1 < sorted.count else { return last }
  return sorted[low] + (place - Double(low)) * (sorted[low + 1] - sorted[low])
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
