import Glibc

extension KernelFit {
  /// Kernels drawn from their posterior: where a few observations leave open what the kernel is, the average over
  /// several is a better judge than the one that is likeliest.
  ///
  /// Elliptical slice sampling (Murray, Adams, MacKay 2010), as the priors are normal in the logarithms.
  /// - Parameters:
  ///   - start: logarithms with a likelihood, best the likeliest.
  ///   - steps: between two kernels that are kept.
  func draws(_ count: Int, from start: [Double], steps: Int, _ chance: inout Chance) -> [Kernel] {
    guard var level = likelihood(at: start) else { return [] }
    let middle = middle
    var place = zip(start, middle).map { $0 - $1 }
    var kernels: [Kernel] = []
    for index in 0..<count * steps {
      let other = place.indices.map { prior($0).deviation * chance.normal() }
      let threshold = level + log(1 - chance.fraction())
      var angle = 2 * Double.pi * chance.fraction()
      var (low, high) = (angle - 2 * Double.pi, angle)
      // The bracket shrinks to the present place, which is above the threshold.
      for _ in 0..<60 {
        let tried = zip(place, other).map { $0 * cos(angle) + $1 * sin(angle) }
        if let found = likelihood(at: zip(tried, middle).map { $0 + $1 }), found > threshold {
          (place, level) = (tried, found)
          break
        }
        if angle < 0 { low = angle } else { high = angle }
        angle = low + (high - low) * chance.fraction()
      }
      if (index + 1) % steps == 0 { kernels.append(kernel(at: zip(place, middle).map { $0 + $1 })) }
    }
    return kernels
  }
}
