/// Why a tuning cannot begin or go on, in a sentence; in SageMaker's words where it has some.
public struct TuningError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What the caller can see to, to have it go on.
  public enum Lack: Hashable, Sendable {
    /// A copy on this machine of what is at this place.
    case copy(of: String)
    /// The end of a parent.
    case end
    /// The request that the tuning in the folder was begun with.
    case request
    /// That the tuning in the folder may go on.
    case permission
  }
  public let description: String
  public let lack: Lack?

  public init(_ description: String, lacks lack: Lack? = nil) {
    (self.description, self.lack) = (description, lack)
  }
}
