/// Where gradients lie, and who is first to write each.
///
/// Numbers of values go on behind the plan's own: each place of gradients is a value of the arena.
struct GradientPlan: Sendable {
  /// Of a layer: where its output's gradient is.
  struct Step: Sendable {
    let gradient: Int
    /// Where the gradient of each input goes, and whether something is there already; nil: nobody asks for it.
    let inputs: [(place: Int, adds: Bool)?]
    /// Where the gradient of the residual goes, if not to where the output's is already.
    let residual: (place: Int, adds: Bool)?
    /// Before the layer itself: views of its output, whose gradients become the output's.
    let views: [(view: Int, from: Int, add: Int?)]
  }
  private(set) var steps: [Step?]
  private(set) var values: [Value]
  /// For each value, the plan's and the gradients', the first and last step that needs it, counted through the layers
  /// and back; nil: none does.
  private(set) var lifetimes: [ClosedRange<Int>?]

  init(_ plan: TrainingPlan) {
    let count = plan.layers.count
    values = plan.values
    lifetimes = Array(repeating: nil, count: plan.values.count)
    steps = Array(repeating: nil, count: count)
    /// Where the gradient of each value and of each view is.
    var ofValue: [Int: Int] = [:]
    var ofView: [Int: Int] = [:]

    func use(_ value: Int, at step: Int) {
      let life = lifetimes[value]
      lifetimes[value] = min(life?.lowerBound ?? step, step)...max(life?.upperBound ?? step, step)
    }
    func newPlace(like value: Int) -> Int {
      values.append(plan.values[value])
      lifetimes.append(nil)
      return values.count - 1
    }
    /// Where a view's gradient goes.
    func target(_ view: Int, at step: Int) -> (place: Int, adds: Bool)? {
      let seen = plan.views[view]
      guard seen.value != 0 else { return nil }
      let known = seen.isPlain ? ofValue[seen.value] : ofView[view]
      let place = known ?? newPlace(like: seen.value)
      if seen.isPlain { ofValue[seen.value] = place } else { ofView[view] = place }
      use(place, at: step)
      return (place, known != nil)
    }

    for (index, layer) in plan.layers.enumerated() {
      use(layer.output, at: index)
      use(layer.output, at: 2 * count - 1 - index)
    }
    for index in plan.layers.indices.reversed() {
      let layer = plan.layers[index]
      let step = 2 * count - 1 - index
      var views: [(view: Int, from: Int, add: Int?)] = []
      for (view, seen) in plan.views.enumerated() where seen.value == layer.output && !seen.isPlain {
        guard let place = ofView[view] else { continue }
        use(place, at: step)
        views.append((view, place, ofValue[layer.output]))
        ofValue[layer.output] = ofValue[layer.output] ?? place
      }
      let gradient = ofValue[layer.output] ?? newPlace(like: layer.output)
      use(gradient, at: step)
      var residual: (place: Int, adds: Bool)?
      if let other = layer.residual {
        if let known = ofValue[other] {
          use(known, at: step)
          residual = (known, true)
        } else {
          ofValue[other] = gradient
        }
      }
      steps[index] = Step(
        gradient: gradient, inputs: layer.inputs.map { target($0, at: step) }, residual: residual,
        views: views)
    }
  }
}
