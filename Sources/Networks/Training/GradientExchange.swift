internal import Models

/// Sums numbers over ranks, the processes that learn together (all-reduce). Every rank makes the same calls in the same
/// order, and gets the same sums as all others, bit for bit.
///
/// The process ends if the other ranks cannot be reached any more: there is nobody left to learn with.
public protocol GradientExchange: AnyObject {
  /// This process's number, from 0.
  var rank: Int { get }
  /// How many ranks there are.
  var rankCount: Int { get }
  /// The fewest numbers of a gradient that are worth sending; fewer wait for the next ones.
  var bucketSize: Int { get }

  /// Replaces the numbers by their sums over all ranks, and returns when that is done.
  ///
  /// - Parameter numbers: as many on each rank.
  func sum(_ numbers: inout [Double])

  /// Begins to sum a piece of the gradient over all ranks, in place, and returns at once.
  func begin(_ bucket: GradientBucket)

  /// Lets the sums that were begun make progress; called now and then while something else is computed.
  func advance()

  /// Waits until all sums that were begun are done.
  func finish()
}

/// A piece of a gradient. From `begin` to `finish` it belongs to the exchange.
public struct GradientBucket: Sendable {
  /// The whole gradient.
  package let memory: FloatBuffer
  /// Which numbers of it.
  public let range: Range<Int>

  package init(_ memory: FloatBuffer, _ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= memory.count, "a piece of that memory")
    self.memory = memory
    self.range = range
  }
}

/// Which pieces of the gradient are complete when. Parameters lie in the order of the graph, and the backward pass goes
/// from the last layer to the first: so the gradient becomes complete from its end on.
struct GradientBuckets {
  /// For each layer: from here on, everything is complete when the layer's backward pass is done.
  private let starts: [Int]
  private let memory: FloatBuffer
  private let leastSize: Int
  /// The end of what has not been sent yet.
  private var end: Int

  /// - Parameters:
  ///   - ranges: for each layer, the gradients of its own weights.
  ///   - leastSize: the fewest numbers of a bucket.
  /// - Throws: a `ModelError` if a layer learns a parameter that `learnt` does not have.
  init(
    _ plan: TrainingPlan, _ gradients: GradientPlan, _ learnt: LearntParameters, ranges: [Range<Int>?],
    leastSize: Int
  ) throws(ModelError) {
    // After which layer each array is complete, by where its numbers begin; what is never written is complete at once.
    var layers: [Int: Int] = [:]
    func complete(_ name: String?, after layer: Int) throws(ModelError) {
      if let name { layers[try learnt.slot(name).start] = layer }
    }
    for (layer, range) in ranges.enumerated() { if let range { layers[range.lowerBound] = layer } }
    for (index, layer) in plan.layers.enumerated() {
      guard case .dense(let dense) = layer.kind else { continue }
      for name in [dense.weight, dense.bias] { try complete(name, after: index) }
    }
    // A BatchNorm's parameters are complete before the backward pass of the layer whose output it normalises.
    for (layer, step) in gradients.steps.enumerated() {
      for view in step?.views ?? [] {
        let norm = plan.views[view.view].norm.map { plan.norms[$0].norm }
        for name in [norm?.gamma, norm?.beta] { try complete(name, after: layer) }
      }
    }
    // Those of a BatchNorm on the images themselves are complete at the very end.
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

  /// The bucket that can be sent when a layer's backward pass is done; nil if it would be too small so far.
  mutating func bucket(after layer: Int) -> GradientBucket? {
    let start = starts[layer]
    return end - start >= leastSize ? bucket(from: start) : nil
  }

  /// The rest, when everything is complete.
  mutating func lastBucket() -> GradientBucket? { end > 0 ? bucket(from: 0) : nil }

  private mutating func bucket(from start: Int) -> GradientBucket {
    defer { end = start }
    return GradientBucket(memory, start..<end)
  }
}
