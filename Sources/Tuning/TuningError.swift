/// Why a tuning cannot begin or go on, in a sentence; in SageMaker's words where it has some.
public struct TuningError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
  /// What to do, where that is not in the sentence.
  public let remedy: String?

  public init(_ description: String, remedy: String? = nil) {
    (self.description, self.remedy) = (description, remedy)
  }
}
