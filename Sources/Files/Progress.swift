/// How far a run is: for progress displays.
public struct Progress: Sendable {
  public let done: Int
  /// Not known before the end when the input is a stream of records.
  public let total: Int?
  public let skipped: Int
  /// 0...1, of the items or, where their number is not known, of the input's bytes.
  public let fraction: Double

  package init(done: Int, total: Int, skipped: Int) {
    self.done = done
    self.total = total
    self.skipped = skipped
    fraction = total > 0 ? Double(done) / Double(total) : 1
  }

  package init(done: Int, total: Int?, skipped: Int, fraction: Double) {
    self.done = done
    self.total = total
    self.skipped = skipped
    self.fraction = fraction
  }

  package init(done: Int, skipped: Int, byte: Int, of byteCount: Int) {
    self.done = done
    total = nil
    self.skipped = skipped
    fraction = byteCount > 0 ? Double(byte) / Double(byteCount) : 1
  }
}

/// An input that was left out, or taken in doubt, and why.
public struct Skip: Codable, Hashable, Sendable {
  public let path: String
  public let reason: String

  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }
}

/// Why an input gives nothing to work on: no line, image or record of it can be used. The description is a sentence for
/// the user.
public struct InputError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  package init(_ description: String) { self.description = description }
}
