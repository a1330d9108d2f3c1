/// Why a training cannot start or go on, in a sentence; in SageMaker's words where its algorithm has some.
public struct TrainingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What the caller can say to have it go on.
  public enum Lack: Hashable, Sendable {
    /// Which attribute of a manifest is the label.
    case label
    /// That a former training may be replaced.
    case permission
    /// The model to start from.
    case model
  }
  public let description: String
  public let lack: Lack?

  public init(_ description: String, lacks lack: Lack? = nil) {
    (self.description, self.lack) = (description, lack)
  }

  /// The line of SageMaker's log.
  public var logLine: String { "Customer Error: \(description)" }

  /// What SageMaker gives as the reason of a failed job, and what stands in the file `failure`.
  public var failureReason: String { "ClientError: \(description), exit code: 2" }
}

/// Something that does not keep a training from going on but that its user should know.
public struct TrainingWarning: Hashable, Sendable, CustomStringConvertible {
  public let description: String

  package init(_ description: String) { self.description = description }
}
