/// The observations of a history as points and targets.
struct Evidence {
  var points: Points
  var targets: [Double] = []
  /// 0: this search and those like it; 1: parents.
  var sources: [Int] = []
  /// How many, the first, are not parents'.
  var own = 0
  var hasParents: Bool { own < points.count }

  init(_ plan: Plan, _ history: History, warp: Int) {
    let space = plan.space
    points = Points(
      isCategory: space.parameters.map { parameter in
        if case .categorical = parameter.domain { return true }
        return false
      })
    let lists = [history.finished + history.identical] + history.parents
    var found: [(points: [[Double]], losses: [Double?])] = []
    for list in lists {
      let placed = list.compactMap { one in space.point(of: one.configuration).map { ($0, one.score) } }
      found.append((placed.map(\.0), placed.map { $0.1.map(plan.direction.loss) }))
    }
    for (index, list) in found.enumerated() {
      let scored = list.losses.compactMap(\.self)
      let standardised = Targets.standardised(scored, warp: warp)
      // A failure is as bad as the worst that is known: enough to keep away from it.
      let worst = standardised.max() ?? 0
      var next = 0
      for (point, loss) in zip(list.points, list.losses) {
        if loss == nil && standardised.isEmpty { continue }
        points.append(point)
        targets.append(loss == nil ? worst : standardised[next])
        if loss != nil { next += 1 }
        sources.append(min(index, 1))
      }
      if index == 0 { own = points.count }
    }
  }
}
