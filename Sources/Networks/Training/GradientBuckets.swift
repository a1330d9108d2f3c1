import Models

/// When which pieces of the gradient are complete in the backward pass. As it goes from the last layer to the first, so
/// it completes, from its end on, ever more of what lies in the order of the graph.
struct GradientBuckets {
  /// By layer: from here on everything is complete when the layer's backward pass is over.
  private let starts: [Int]
  private let memory: FloatBuffer
  private let leastSize: Int
  /// What has not been sent yet ends here.
  private var end: Int

  /// - Parameters:
  ///   - ranges: of each layer, the gradients of its own weights.
  ///   - leastSize: numbers of a bucket.
  init(
    _ plan: TrainingPlan, _ gradients: GradientPlan, _ learnt: LearntParameters, ranges: [Range<Int>?],
    leastSize: Int
  ) throws(ModelError) {
    /// By where the numbers of each array begin; what is never written is complete from the first.
    var layers: [Int: Int] = [:]
    func complete(_ name: String?, after layer: Int) throws(ModelError) {
      if let name { layers[try learnt.slot(name).start] = layer }
    }
    for (layer, range) in ranges.enumerated() { if let range { layers[range.lowerBound] = layer } }
    for (index, layer) in plan.layers.enumerated() {
      guard case .dense(let dense) = layer.kind else { continue }
      for name in [dense.weight, dense.bias] { try complete(name, after: index) }
    }
    // A BatchNorm's are, before the backward pass of the layer whose output it normalises.
    for (layer, step) in gradients.steps.enumerated() {
      for view in step?.views ?? [] {
        let norm = plan.views[view.view].norm.map { plan.norms[$0].norm }
        for name in [norm?.gamma, norm?.beta] { try complete(name, after: layer) }
      }
    }
    // Of the images themselves at the very end.
    for norm in plan.norms where norm.value == 0 { try complete(norm.norm.beta, after: -1) }
    starts = plan.layers.indices.map { layer in
      let last = learnt.slots.last { layers[$0.start].map { $0 < layer } ?? false }
      return last?.range.upperBound ?? 0
    }
    memory = learnt.gradient
    self.leastSize = max(1, leastSize)
    end = learnt.gradient.count
  }

  mutating func begin() { end = memory.count }

  /// The bucket that can be sent when a layer's backward pass is over; nil: so far it would be too small a one.
  mutating func bucket(after layer: Int) -> GradientBucket? {
    let start = starts[layer]
    return end - start >= leastSize ? bucket(from: start) : nil
  }

  /// What is left when everything is complete.
  mutating func lastBucket() -> GradientBucket? { end > 0 ? bucket(from: 0) : nil }

  private mutating func bucket(from start: Int) -> GradientBucket {
    defer { end = start }
    return GradientBucket(memory, start..<end)
  }
}
