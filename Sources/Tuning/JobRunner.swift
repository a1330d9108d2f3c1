/// Trains the jobs of a tuning: as processes, by a server, or in a test by nobody.
public protocol JobRunner: Sendable {
  /// Trains one job, or goes on with one.
  ///
  /// - Parameter report: gets the job's figures after each epoch that `order.known` does not have yet; where the answer
  ///   is `.stop` the job is to end in order. One call at a time.
  /// - Returns: how it ended. A cancelled task is to end the job in order, and return `.stopped`, or `.completed` where it
  ///   was done already.
  /// - Throws: what kept it from starting; the job has failed then.
  func run(_ order: JobOrder, report: @escaping @Sendable (JobProgress) async -> Verdict) async throws
    -> JobOutcome
}

/// A job to train.
public struct JobOrder: Hashable, Sendable {
  public let name: String
  /// From 1.
  public let number: Int
  /// Static and tuned ones, `epochs` as Hyperband wants it.
  public let hyperparameters: [String: String]
  /// It has run before, and goes on from its checkpoint if it has one.
  public let resumes: Bool
  /// Values of the objective that are known already.
  public let known: Int
  /// Of `TuningRequest.definitions` the one that it is of.
  public let definition: Int

  public init(
    name: String, number: Int, hyperparameters: [String: String], resumes: Bool = false, known: Int = 0,
    definition: Int = 0
  ) {
    self.definition = definition
    (self.name, self.number, self.hyperparameters) = (name, number, hyperparameters)
    (self.resumes, self.known) = (resumes, known)
  }
}

/// A runner for each definition of a tuning.
public struct DefinitionRunners: JobRunner {
  let runners: [any JobRunner]

  /// - Parameter runners: in the order of `TuningRequest.definitions`.
  public init(_ runners: [any JobRunner]) { self.runners = runners }

  public func run(
    _ order: JobOrder, report: @escaping @Sendable (JobProgress) async -> Verdict
  ) async throws -> JobOutcome {
    guard runners.indices.contains(order.definition) else { return .failed("its definition is not there") }
    return try await runners[order.definition].run(order, report: report)
  }
}

/// The objective after an epoch.
public struct JobProgress: Hashable, Sendable {
  /// Of this epoch.
  public let value: Double
  /// Of the model that the job would leave now; nil: the best value so far.
  public let kept: Double?

  public init(_ value: Double, kept: Double? = nil) { (self.value, self.kept) = (value, kept) }
}

public enum Verdict: Hashable, Sendable { case goOn, stop }

public enum JobOutcome: Hashable, Sendable {
  case completed
  /// It was asked to end, or its own time was over.
  case stopped
  case failed(String)
}
