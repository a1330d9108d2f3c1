import Glibc

/// The next configuration by what the earlier ones came to.
struct Bayesian {
  let plan: Plan
  var settings = Settings()

  /// Configurations of the design that a search begins with.
  var designCount: Int {
    let wanted = settings.designBase + settings.designPerParameter * Double(plan.space.parameters.count)
    let most = plan.jobs.map { max($0 / 3, 1) } ?? .max
    return min(Int(wanted), max(most, plan.parallelJobs))
  }

  func next(_ history: History, _ taken: Taken) -> Configuration? {
    var chance = Chance(plan.seed, UInt64(history.begun), 2)
    let scored = (history.finished + history.identical).filter { $0.score != nil }.count
    let earlier = history.identical.count + history.parents.reduce(0) { $0 + $1.count }
    if history.begun < designCount, earlier < designCount {
      var design = Chance(plan.seed, 1)
      let points = LatinHypercube.points(designCount, width: plan.space.parameters.count, &design)
      let configuration = plan.space.configuration(at: points[history.begun])
      if !taken.contains(configuration) { return configuration }
    } else if scored + earlier >= 2, let found = promising(history, taken, &chance) {
      return found
    }
    return RandomDraw.next(plan.space, taken, &chance)
  }

  private func promising(_ history: History, _ taken: Taken, _ chance: inout Chance) -> Configuration? {
    let space = plan.space
    let evidence = Evidence(plan, history, warp: settings.warp)
    guard evidence.points.count >= 2 else { return nil }
    let width = Double(space.parameters.count)
    let fit = KernelFit(
      evidence.points, evidence.targets, sources: evidence.sources,
      length: .init(mean: settings.lengthCentre + settings.lengthGrowth * log(width), deviation: settings.lengthDeviation),
      signal: .init(mean: 0, deviation: settings.signalDeviation),
      noises: [.init(mean: settings.noiseCentre, deviation: settings.noiseDeviation)]
        + (evidence.hasParents ? [.init(mean: -2, deviation: 1)] : []))
    var starts = [fit.middle]
    for _ in 0..<2 {
      starts.append(fit.middle.enumerated().map { $1 + 0.7 * chance.normal() })
    }
    guard let kernel = fit.best(from: starts, steps: 40) else { return nil }
    guard
      let acquisition = Acquisition(
        evidence.points, evidence.targets, sources: evidence.sources, own: evidence.own,
        pending: history.pending.compactMap(space.point), kernel, &chance)
    else { return nil }
    let order = evidence.targets.indices.sorted { (evidence.targets[$0], $0) < (evidence.targets[$1], $1) }
    let centres = order.prefix(5).map { space.settled(evidence.points[$0]) }
    let ascent = Ascent(space: space, acquisition: acquisition, centres: centres)
    for point in ascent.best(&chance) {
      let configuration = space.configuration(at: point)
      if !taken.isNear(configuration) { return configuration }
    }
    return nil
  }
}
