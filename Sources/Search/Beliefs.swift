import Glibc

/// What is taken for likely of a kernel before anything was seen, for targets of mean 0 and deviation 1 on the unit
/// cube; and how much work its search is worth.
enum Beliefs {
  /// Length scales: a median of 0.5 times the square root of the number of parameters, as distances grow with it
  /// (Hvarfner et al. 2024).
  static func length(_ parameters: Int) -> KernelFit.Prior {
    .init(mean: -0.7 + 0.5 * log(Double(parameters)), deviation: 1)
  }
  /// A category's: shorter, so that what one of them does says less of the others, which are then tried too.
  static let category = KernelFit.Prior(mean: -0.5, deviation: 1)
  static let signal = KernelFit.Prior(mean: 0, deviation: 1)
  /// The noise's variance: a median of 1e-4, and from 1e-6 to 1e-2 within what is likely.
  static let noise = KernelFit.Prior(mean: -9, deviation: 2)
  /// How far another search's scores are off: a variance of 0.14, more or less.
  static let parentNoise = KernelFit.Prior(mean: -2, deviation: 1)

  /// Observations that a kernel is fitted to.
  static let telling = 200
  /// Kernels that are averaged over: where many observations say what it is, the likeliest will do.
  static func kernels(_ observations: Int) -> Int { observations > 100 ? 1 : 8 }
  static let stepsBetweenKernels = 15
}

extension KernelFit {
  init(_ evidence: Evidence) {
    let part = evidence.part(Beliefs.telling)
    self.init(
      part.points, part.targets, sources: part.sources, length: Beliefs.length(part.points.width),
      category: Beliefs.category,
      signal: Beliefs.signal, noises: [Beliefs.noise] + (evidence.hasParents ? [Beliefs.parentNoise] : []))
  }

  var middleKernel: Kernel { kernel(at: middle) }

  /// The likeliest kernel, searched from the priors' medians and from places around them; its logarithms.
  func likeliest(_ chance: inout Chance) -> [Double]? {
    let others = (0..<2).map { _ in middle.map { $0 + 0.7 * chance.normal() } }
    return best(from: [middle] + others, steps: 40)
  }
}
