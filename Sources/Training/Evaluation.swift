import Imaging
import Models
import Networks

/// The validation set, and the inference engine that judges weights on it: every image once.
final class Evaluation {
  private let batches: Batches
  private let graph: Graph
  private let preset: Preset
  private let workers: Workers
  private let topK: Int?
  private let positiveWeights: [Float]?
  private let ranks: Ranks
  /// Images that were left out the last time.
  private(set) var faults: [Batches.Fault] = []

  /// - Parameter ranks: share the set; each judges its part.
  init(
    _ images: TrainingImages, graph: Graph, preset: Preset, batch: Int, topK: Int?,
    positiveWeights: [Float]? = nil, keepsDamaged: Bool = false, workers: Workers, ranks: Ranks
  ) {
    batches = Batches(
      images,
      plan: EpochPlan(
        imageCount: images.count, batch: batch, isTraining: false, rank: ranks.rank, rankCount: ranks.count),
      keepsDamaged: keepsDamaged)
    self.graph = graph
    self.preset = preset
    self.topK = topK
    self.positiveWeights = positiveWeights
    self.workers = workers
    self.ranks = ranks
  }

  /// - Parameters:
  ///   - tell: gets how many images were judged, of how many, after each batch.
  ///   - isStopped: asked after each batch, on all ranks.
  /// - Throws: `CancellationError` where it is stopped.
  /// - Complexity: plans the network anew for the weights.
  func validation(
    of parameters: Parameters, tell: (_ images: Int, _ of: Int) -> Void = { _, _ in },
    isStopped: () -> Bool = { false }
  ) throws -> Validation {
    let (batch, width) = (batches.plan.batch, batches.images.classCount)
    let network = try ranks.together { try Network(graph, parameters, batch: batch, workers: workers) }
    var images = [Float](repeating: 0, count: batch * preset.count)
    var targets = [Float](repeating: 0, count: batch * width)
    var outputs = targets
    var sums = MetricSums()
    faults = []
    for number in 0..<batches.plan.batchCount {
      var imageSpan = images.mutableSpan
      var targetSpan = targets.mutableSpan
      let filled = try ranks.together {
        try batches.fill(
          &imageSpan, targets: &targetSpan, preset: preset, epoch: 0, batch: number, workers: workers)
      }
      faults += filled.faults
      // The last ranks may have none of the last images.
      if filled.count > 0 {
        var room = outputs.mutableSpan
        var outputSpan = room._mutatingExtracting(first: filled.count * width)
        network.run(
          images.span.extracting(first: filled.count * preset.count), count: filled.count, into: &outputSpan)
      }
      sums.add(
        outputs.span, targets: targets.span, count: filled.count, width: width,
        isMultiLabel: batches.images.isMultiLabel, top: topK, positiveWeights: positiveWeights)
      tell(min((number + 1) * batch * ranks.count, batches.images.count), batches.images.count)
      if number + 1 < batches.plan.batchCount, isStopped() { throw CancellationError() }
    }
    return Validation(sums.total(over: ranks))
  }
}
