import Glibc

/// A program to run as a job, and its limits.
public struct Command: Sendable {
  /// An absolute path.
  public var program: String
  /// Without the program's name.
  public var arguments: [String]
  /// The whole environment; nothing is inherited.
  public var environment: [String: String] = [:]
  /// The working folder.
  public var folder: String
  /// stdout and stderr are appended to this file, which is created where there is none. stdin is empty.
  public var logPath: String
  /// The time between SIGTERM and SIGKILL; the default is SageMaker's.
  public var gracePeriod = Duration.seconds(120)
  /// The wall-clock time after which the job is asked to end.
  public var timeLimit: Duration?
  /// The bytes of private writable memory that each process of the job may have (RLIMIT_DATA: heap and threads' stacks, not
  /// what it only maps to read). Allocations beyond that fail.
  public var memoryLimit: Int?

  /// A command with an empty environment and no limits.
  public init(_ program: String, _ arguments: [String], folder: String, logPath: String) {
    (self.program, self.arguments, self.folder, self.logPath) = (program, arguments, folder, logPath)
  }

  /// The program of this process, even where its file has been replaced since.
  public static let thisProgram = "/proc/self/exe"
}

/// How a job ended.
public struct Ending: Hashable, Sendable {
  /// What the kernel reports.
  public enum Status: Hashable, Sendable {
    /// The exit status.
    case exited(Int32)
    /// The signal that ended it.
    case signalled(Int32)
  }
  /// Who ended it.
  public enum Cause: Hashable, Sendable {
    /// Nobody else did.
    case itself
    /// `Child.stop`, `Child.kill`, or the cancellation of the task that ran it.
    case stopped
    /// `Command.timeLimit` passed.
    case timeLimit
  }
  /// The exit status or the signal.
  public let status: Status
  /// Who ended it.
  public let cause: Cause
  /// Whether it was killed by `Child.kill`, or because it had not ended when the grace period was over.
  public let wasKilled: Bool
  /// Whether it ended by a SIGKILL that this process did not send, while the kernel's count of out-of-memory kills rose.
  public let isOutOfMemory: Bool
  /// The job's peak resident memory.
  public let peakByteCount: Int
  /// From its start to its end.
  public let duration: Duration

  /// Whether it exited with status 0.
  public var isSuccess: Bool { status == .exited(0) }

  /// "it exited with status 1", "it was ended by signal 9 (Killed)", and why, where that is known.
  public var sentence: String {
    let what =
      switch status {
      case .exited(let code): "it exited with status \(code)"
      case .signalled(let number): "it was ended by signal \(number) (\(signalName(number)))"
      }
    if isOutOfMemory { return "\(what): the machine or its control group ran out of memory" }
    switch cause {
    case .itself: return what
    case .stopped:
      return what + " after it was asked to stop" + (wasKilled ? " and did not stop in time" : "")
    case .timeLimit: return what + " when its time limit was reached"
    }
  }
}

/// Why a job could not be started or queued.
public struct JobError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What went wrong.
  public enum Reason: Hashable, Sendable {
    /// A system call failed with `errno` = `code`; `what` says what it was for.
    case system(what: String, code: Int32)
    /// As many jobs are waiting as may.
    case queueFull(limit: Int)
    /// An argument, a variable or a path with a NUL byte, which no program can be given.
    case zeroByte(in: String)
  }
  /// What went wrong.
  public let reason: Reason
  /// The program, the log, the watched folder, or the job's name in the queue.
  public let path: String

  /// - Parameter path: see the property.
  public init(_ reason: Reason, path: String) {
    self.reason = reason
    self.path = path
  }

  /// The path and what went wrong.
  public var description: String {
    switch reason {
    case .system(let what, let code): "\(path): \(what): \(unsafe String(cString: strerror(code)))"
    case .queueFull(let limit):
      "\(path): \(limit) jobs are waiting already; try again when one has ended"
    case .zeroByte(let text):
      "\(path): it cannot be given [\(text.replacing("\0", with: "\\0"))], which has a NUL byte"
    }
  }
}
