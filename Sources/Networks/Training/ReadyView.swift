/// A view whose gradient is complete: its sums are taken while it is near.
struct ReadyView: Sendable {
  let norm: Normalization
  /// Where the view's gradient is, and the value that is seen.
  private let from: Int, value: Int

  func sum(_ part: TrainingPart) {
    for image in part.images {
      unsafe norm.sum(
        part.execution.read(from, image: image), part.execution.read(value, image: image), part: part.index)
    }
  }

  /// For each layer, the views whose gradient it is the last one to add to, on the way back.
  static func all(
    _ plan: TrainingPlan, _ gradients: GradientPlan, _ normalizations: [Normalization?]
  ) -> [[ReadyView]] {
    var ready: [[ReadyView]] = plan.layers.map { _ in [] }
    for (index, step) in gradients.steps.enumerated() {
      for view in step?.views ?? [] {
        guard let norm = normalizations[view.view],
          let reader = plan.layers.firstIndex(where: { $0.inputs.contains(view.view) })
        else { continue }
        ready[reader].append(ReadyView(norm: norm, from: view.from, value: plan.layers[index].output))
      }
    }
    return ready
  }
}
