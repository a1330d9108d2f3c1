import Imaging
import Models
import Networks

/// Validates weights on the validation set with the inference engine; every image counts once.
final class Evaluation {
  private let batches: Batches
  private let graph: Graph
  private let preset: Preset
  private let workers: Workers
  private let topK: Int?
  private let positiveWeights: [Float]?
  private let ranks: Ranks
  /// Images that the latest validation left out because they could not be decoded.
  private(set) var faults: [Batches.Fault] = []

  /// - Parameter ranks: the ranks among which the set is divided.
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
  ///   - tell: called after each batch with the number of images done and the number of all images.
  ///   - isStopped: called after each batch but the last; must return the same on all ranks.
  /// - Returns: the sums over all ranks.
  /// - Throws: `CancellationError` if `isStopped` returns true; what building the network and filling batches throw.
  /// - Complexity: builds a new network plan for the weights; O(images).
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
      // The last ranks may have no image in the last batch.
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
