/// What a job with some configuration came to.
public struct Observation: Hashable, Sendable {
  public let configuration: Configuration
  /// The objective; `nil` for a job that failed.
  public let score: Double?

  /// - Parameter score: NaN and infinities are taken as failures.
  public init(_ configuration: Configuration, score: Double?) {
    self.configuration = configuration
    self.score = score.flatMap { $0.isFinite ? $0 : nil }
  }
}

/// All that a search knows when it is asked for one more configuration.
public struct History: Hashable, Sendable {
  /// The jobs of this search that are done, failed ones too, in the order in which they began or ended.
  public var finished: [Observation]
  /// The jobs of this search that run now.
  public var pending: [Configuration]
  /// Warm start of the kind IdenticalDataAndAlgorithm: as good as jobs of this search, and not repeated by it.
  public var identical: [Observation]
  /// Warm start of the kind TransferLearning, one list a parent: their scores say what is better, not how good it is.
  public var parents: [[Observation]]

  public init(
    finished: [Observation] = [], pending: [Configuration] = [], identical: [Observation] = [],
    parents: [[Observation]] = []
  ) {
    (self.finished, self.pending) = (finished, pending)
    (self.identical, self.parents) = (identical, parents)
  }

  /// How many jobs this search began.
  var begun: Int { finished.count + pending.count }

  /// What is not to be proposed again.
  var taken: [Configuration] { finished.map(\.configuration) + pending + identical.map(\.configuration) }
}
