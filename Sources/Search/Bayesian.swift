/// The next configuration by what the earlier ones came to.
///
/// A search begins with a design that is spread over the space; then each configuration is the one of largest expected
/// improvement under a Gaussian process of all observations.
struct Bayesian {
  let plan: Plan

  /// Known points that others are tried around.
  private static let centres = 5

  /// Configurations of the design: 6 and one a parameter, but at most a third of all jobs, and one for each job that
  /// begins at once.
  var designCount: Int {
    let most = plan.jobs.map { $0 / 3 } ?? .max
    return max(min(6 + plan.space.parameters.count, most), plan.parallelJobs)
  }

  func next(_ history: History, _ taken: Taken) -> Configuration? {
    var chance = Chance(plan.seed, UInt64(history.begun), 2)
    let warm = history.identical.count + history.parents.reduce(0) { $0 + $1.count }
    if history.begun + warm < designCount {
      var design = Chance(plan.seed, 1)
      let points = LatinHypercube.points(designCount, width: plan.space.parameters.count, &design)
      let configuration = plan.space.configuration(at: points[history.begun])
      if !taken.contains(configuration) { return configuration }
    } else if let found = promising(history, taken, &chance) {
      return found
    }
    return RandomDraw.next(plan.space, taken, &chance)
  }

  /// - Returns: `nil` where too little is known, or nothing new was found.
  private func promising(_ history: History, _ taken: Taken, _ chance: inout Chance) -> Configuration? {
    let evidence = Evidence(plan, history)
    let fit = KernelFit(evidence)
    guard evidence.points.count >= 2, let likeliest = fit.likeliest(&chance) else { return nil }
    let count = Beliefs.kernels(evidence.points.count)
    let kernels =
      count == 1
      ? [fit.kernel(at: likeliest)]
      : fit.draws(count, from: likeliest, steps: Beliefs.stepsBetweenKernels, &chance)
    let pending = history.pending.compactMap(plan.space.point)
    var models: [Model] = []
    for kernel in kernels {
      let sets = (Model.imagined + kernels.count - 1) / kernels.count
      if let model = Model(evidence, pending, sets: sets, kernel, &chance) { models.append(model) }
    }
    guard !models.isEmpty else { return nil }
    let order = evidence.targets.indices.sorted { (evidence.targets[$0], $0) < (evidence.targets[$1], $1) }
    let ascent = Ascent(
      space: plan.space, acquisition: Acquisition(models: models),
      centres: order.prefix(Self.centres).map { plan.space.settled(evidence.points[$0]) })
    return ascent.best(&chance).lazy.map(plan.space.configuration).first { !taken.isNear($0) }
  }
}

/// Points spread over the unit cube, as many as will be used: each coordinate has one in each of as many cells.
enum LatinHypercube {
  /// Designs tried; the one whose nearest points are farthest from each other is taken (Morris and Mitchell 1995).
  private static let trials = 60

  static func points(_ count: Int, width: Int, _ chance: inout Chance) -> [[Double]] {
    var best: (points: [[Double]], distance: Double)?
    for _ in 0..<trials {
      let points = one(count, width, &chance)
      let distance = nearest(points)
      if distance > best?.distance ?? -1 { best = (points, distance) }
    }
    return best?.points ?? []
  }

  private static func one(_ count: Int, _ width: Int, _ chance: inout Chance) -> [[Double]] {
    var points = [[Double]](repeating: [], count: count)
    for _ in 0..<width {
      let cells = (0..<count).shuffled(using: &chance)
      for index in 0..<count {
        points[index].append((Double(cells[index]) + chance.fraction()) / Double(count))
      }
    }
    return points
  }

  /// The least squared distance of two points.
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
