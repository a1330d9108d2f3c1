/// Why a training cannot start or continue, as a sentence for the user; in the words of SageMaker's algorithm if it has
/// some for the case.
public struct TrainingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What the user could add to make the training possible.
  public enum Lack: Hashable, Sendable {
    /// The name of the attribute that is the label in a manifest.
    case label
    /// Permission to overwrite, or to resume, a previous training.
    case permission
    /// The model to start from.
    case model
  }
  public let description: String
  /// nil: nothing that the user could add would help.
  public let lack: Lack?

  public init(_ description: String, lacks lack: Lack? = nil) {
    (self.description, self.lack) = (description, lack)
  }

  /// The line that SageMaker's algorithm logs for this error.
  public var logLine: String { "Customer Error: \(description)" }

  /// The failure reason that SageMaker reports for the job; also the content of the file `failure`.
  public var failureReason: String { "ClientError: \(description), exit code: 2" }
}

/// Something the user should know that does not prevent the training.
public struct TrainingWarning: Hashable, Sendable, CustomStringConvertible {
  public let description: String

  package init(_ description: String) { self.description = description }
}
