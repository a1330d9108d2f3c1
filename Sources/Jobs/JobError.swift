import Glibc

/// Why a job could not be started, or not be queued.
public struct JobError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// A system call failed with `errno` = `code`; `what` says what it was for.
    case system(what: String, code: Int32)
    /// As many jobs wait as may.
    case queueFull(limit: Int)
    /// An argument, a variable or a path with a byte 0 in it, which no program can be given.
    case zeroByte(in: String)
  }
  public let reason: Reason
  /// The program, or the log.
  public let path: String

  public init(_ reason: Reason, path: String) {
    self.reason = reason
    self.path = path
  }

  public var description: String {
    switch reason {
    case .system(let what, let code): "\(path): \(what): \(unsafe String(cString: strerror(code)))"
    case .queueFull(let limit):
      "\(path): \(limit) jobs wait already, more are not taken; try again when one has ended"
    case .zeroByte(let text):
      "\(path): it cannot be given [\(text.replacing("\0", with: "\\0"))], which has a byte 0"
    }
  }
}
