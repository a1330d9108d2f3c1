import Glibc

/// A program to run as a job, and its limits.
public struct Command: Sendable {
  /// An absolute path.
  public var program: String
  /// Without the program's name.
  public var arguments: [String]
  /// All of it; nothing is inherited beside it.
  public var environment: [String: String] = [:]
  public var folder: String
  /// Gets stdout and stderr, at its end; it is made where there is none. stdin is empty.
  public var logPath: String
  /// Between SIGTERM and SIGKILL; as SageMaker gives it.
  public var gracePeriod = Duration.seconds(120)
  /// Of wall-clock time, after which the job is asked to end.
  public var timeLimit: Duration?
  /// Writable memory of its own that the job may have (RLIMIT_DATA: heap, stacks of threads; not what it only maps to read).
  /// What asks for more gets none. The kernel counts it for each process of the job by itself.
  public var memoryLimit: Int?

  public init(_ program: String, _ arguments: [String], folder: String, logPath: String) {
    (self.program, self.arguments, self.folder, self.logPath) = (program, arguments, folder, logPath)
  }

  /// The program that this process runs: another copy of it, also where its file was replaced meanwhile.
  public static let thisProgram = "/proc/self/exe"
}

/// How a job ended.
public struct Ending: Hashable, Sendable {
  public enum Status: Hashable, Sendable {
    case exited(Int32)
    case signalled(Int32)
  }
  /// Who wanted it.
  public enum Cause: Hashable, Sendable {
    case itself
    /// `Child.stop`, `Child.kill`, or the cancellation of the task that ran it.
    case stopped
    case timeLimit
  }
  public let status: Status
  public let cause: Cause
  /// The grace period passed, and it was killed.
  public let wasKilled: Bool
  /// It was killed by SIGKILL, not by us, and the kernel's count of kills for want of memory rose meanwhile.
  public let isOutOfMemory: Bool
  /// The most resident memory that it had.
  public let peakByteCount: Int
  public let duration: Duration

  public var isSuccess: Bool { status == .exited(0) }

  /// "it exited with status 1", "it was killed by signal 9 (Killed)", and why, where that is known.
  public var sentence: String {
    let what =
      switch status {
      case .exited(let code): "it exited with status \(code)"
      case .signalled(let number): "it was ended by signal \(number) (\(signalName(number)))"
      }
    if isOutOfMemory { return "\(what): the machine's memory, or that of its group, was used up" }
    switch cause {
    case .itself: return what
    case .stopped: return what + " after it was asked to stop" + (wasKilled ? " and did not in time" : "")
    case .timeLimit: return what + " as its time was over"
    }
  }
}

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
