public import Files

/// Why the outputs cannot be read at all. What is wrong with single ones is not an error: they are counted.
public struct OutputError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case file(FileError)
    /// The lines name no image, and there are not as many as the truth has.
    case orderUnknown(lines: Int, images: Int)
    /// The lines name no image, and the truth has no order, or has lines that are no images.
    case orderMeansNothing
  }
  public let reason: Reason
  public let path: String

  init(_ reason: Reason, path: String) {
    self.reason = reason
    self.path = path
  }

  public var description: String {
    switch reason {
    case .file(let error): error.description
    case .orderUnknown(let lines, let images):
      "\(path): the lines name no image, and there are \(lines) for the \(images) images of the truth: "
        + "which belongs to which cannot be told"
    case .orderMeansNothing:
      "\(path): the lines name no image, and the order of this truth says nothing; "
        + "a .lst, a .rec, a CSV or JSON lines, all of it usable, is expected then"
    }
  }
}
