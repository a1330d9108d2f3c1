public import Files

/// Why the outputs cannot be read at all. What is wrong with single ones is not an error: they are counted.
public struct OutputError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case file(FileError)
    /// The lines name no image, and there are not as many as the truth has.
    case orderUnknown(lines: Int, images: Int)
    /// The lines name no image, and the truth has no order, or has lines that are no images.
    case orderMeansNothing
    /// The file is something else; says what, and what is expected.
    case otherKind(String)
    /// One JSON array that breaks off or goes wrong.
    case brokenArray(JSONFault)
    /// Not one of so many lines can be read; the first, and what is wrong with it.
    case noPrediction(lines: Int, first: Int, fault: String)
    /// A table in which it is not certain what the columns are; says why.
    case unclearTable(String)
  }
  public let reason: Reason
  public let path: String

  init(_ reason: Reason, path: String) {
    self.reason = reason
    self.path = path
  }

  init(lines error: LineError, path: String) {
    switch error {
    case .file(let fault): self.init(.file(fault), path: path)
    case .array(let fault): self.init(.brokenArray(fault), path: path)
    }
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
    case .otherKind(let sentence): "\(path): \(sentence)"
    case .brokenArray(let fault): "\(path): this is one JSON array, and it is damaged: \(fault)"
    case .noPrediction(let lines, let first, let fault):
      lines == 1
        ? "\(path): its only line is no prediction: \(fault)"
        : "\(path): none of its first \(lines) lines is a prediction; line \(first): \(fault)"
    case .unclearTable(let why): "\(path): this is a table, and \(why)"
    }
  }
}
