/// Bayesian optimization: chooses the next configuration by the results of the earlier ones.
///
/// A search begins with a design that is spread over the space. After that, each configuration is the one with the largest
/// expected improvement under a Gaussian process fitted to all observations.
struct Bayesian {
  let plan: Plan

  /// How many known points others are tried around.
  private static let centres = 5

  /// The size of the design: 6 and one more for each parameter, but at most a third of all jobs, and at least the number of
  /// parallel jobs.
  var designCount: Int {
    let most = plan.jobs.map { $0 / 3 } ?? .max
    return max(min(6 + plan.space.parameters.count, most), plan.parallelJobs)
  }

  func next(_ history: History, _ taken: Exclusions) -> Configuration? {
    var random = RandomStream(plan.seed, UInt64(history.begun), 2)
    let warm = history.identical.count + history.parents.reduce(0) { $0 + $1.count }
    if history.begun + warm < designCount {
      var design = RandomStream(plan.seed, 1)
      let points = LatinHypercube.points(designCount, width: plan.space.parameters.count, &design)
      let configuration = plan.space.configuration(at: points[history.begun])
      if !taken.contains(configuration) { return configuration }
    } else if let found = mostPromising(history, taken, &random) {
      return found
    }
    return RandomDraw.next(plan.space, taken, &random)
  }

  /// The configuration with the largest expected improvement.
  /// - Returns: `nil` where too little is known, or nothing new was found.
  private func mostPromising(_ history: History, _ taken: Exclusions, _ random: inout RandomStream)
    -> Configuration?
  {
    let evidence = Evidence(plan, history)
    let fit = KernelFit(evidence)
    guard evidence.points.count >= 2, let likeliest = fit.likeliest(&random) else { return nil }
    let count = Priors.kernels(evidence.points.count)
    let kernels =
      count == 1
      ? [fit.kernel(at: likeliest)]
      : fit.draws(count, from: likeliest, steps: Priors.stepsBetweenKernels, &random)
    let pending = history.pending.compactMap(plan.space.point)
    var surrogates: [Surrogate] = []
    for kernel in kernels {
      let sets = (Surrogate.sampleCount + kernels.count - 1) / kernels.count
      if let surrogate = Surrogate(evidence, pending, sets: sets, kernel, &random) {
        surrogates.append(surrogate)
      }
    }
    guard !surrogates.isEmpty else { return nil }
    let order = evidence.targets.indices.sorted { (evidence.targets[$0], $0) < (evidence.targets[$1], $1) }
    let climb = HillClimb(
      space: plan.space, acquisition: Acquisition(surrogates: surrogates),
      centres: order.prefix(Self.centres).map { plan.space.snapped(evidence.points[$0]) })
    return climb.best(&random).lazy.map(plan.space.configuration).first { !taken.isNear($0) }
  }
}

/// Points spread over the unit cube: along each coordinate, each of `count` equal cells holds one of `count` points.
enum LatinHypercube {
  /// How many designs are tried; the one whose nearest two points are farthest apart is taken (Morris and Mitchell 1995).
  private static let trials = 60

  static func points(_ count: Int, width: Int, _ random: inout RandomStream) -> [[Double]] {
    var best: (points: [[Double]], distance: Double)?
    for _ in 0..<trials {
      let points = one(count, width, &random)
      let distance = nearest(points)
      if distance > best?.distance ?? -1 { best = (points, distance) }
    }
    return best?.points ?? []
  }

  private static func one(_ count: Int, _ width: Int, _ random: inout RandomStream) -> [[Double]] {
    var points = [[Double]](repeating: [], count: count)
    for _ in 0..<width {
      let cells = (0..<count).shuffled(using: &random)
      for index in 0..<count {
        points[index].append((Double(cells[index]) + random.fraction()) / Double(count))
      }
    }
    return points
  }

  /// The least squared distance between two points.
  private static func nearest(_ points: [[Double]]) -> Double {
    var least = Double.infinity
    for (index, one) in points.enumerated() {
      for other in points[..<index] {
        var sum = 0.0
        for (a, b) in zip(one, other) { sum += (a - b) * (a - b) }
        least = min(least, sum)
      }
    }
    return least
  }
}
