/// How much each parameter matters to the score, as far as the jobs tell: Sobol indices, shares of the variance over the
/// whole space of the Gaussian process's mean (Sobol 1993; Saltelli et al. 2010).
public struct Importance: Hashable, Sendable {
  /// For each parameter, in the order of the space, the share that it explains by itself, 0...1 (first-order index).
  public let alone: [Double]
  /// For each parameter, the share that it explains by itself and together with others: 0...1, at least `alone` (total
  /// index).
  public let total: [Double]

  /// The number of points that the variance is estimated from; the shares are accurate to about 0.02.
  private static let samples = 1024
  /// The fewest jobs with a score that it needs.
  public static let fewestJobs = 4

  /// - Parameter history: finished jobs and those of identical searches are used.
  /// - Returns: `nil` with fewer jobs than `fewestJobs`, or where all have the same score.
  /// - Complexity: O(n^3 + samples * parameters * n) for n jobs.
  public init?(_ plan: Plan, _ history: History) {
    var known = History()
    known.finished = history.finished.filter { $0.score != nil }
    known.identical = history.identical.filter { $0.score != nil }
    let evidence = Evidence(plan, known)
    guard evidence.points.count >= Self.fewestJobs, evidence.targets.contains(where: { $0 != 0 }) else {
      return nil
    }
    var random = RandomStream(plan.seed, 3)
    let fit = KernelFit(evidence)
    guard let likeliest = fit.likeliest(&random),
      let process = GaussianProcess(
        evidence.points, evidence.targets, sources: evidence.sources, fit.kernel(at: likeliest))
    else { return nil }
    let space = plan.space
    let width = space.parameters.count
    let one = (0..<Self.samples).map { _ in space.snapped(random.point(width)) }
    let other = (0..<Self.samples).map { _ in space.snapped(random.point(width)) }
    let values = process.means(at: one)
    let others = process.means(at: other)
    let all = values + others
    let mean = all.reduce(0, +) / Double(all.count)
    let variance = all.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(all.count)
    guard variance > 1e-12 else { return nil }
    var (alone, total): ([Double], [Double]) = ([], [])
    for k in 0..<width {
      // The first points with this one coordinate of the others.
      let mixed = zip(one, other).map { a, b in
        var point = a
        point[k] = b[k]
        return point
      }
      let mixedValues = process.means(at: mixed)
      var (first, whole) = (0.0, 0.0)
      for index in values.indices {
        let moved = mixedValues[index] - values[index]
        first += (others[index] - mean) * moved
        whole += moved * moved
      }
      let share = min(max(whole / Double(2 * Self.samples) / variance, 0), 1)
      alone.append(min(max(first / Double(Self.samples) / variance, 0), share))
      total.append(share)
    }
    (self.alone, self.total) = (alone, total)
  }
}
