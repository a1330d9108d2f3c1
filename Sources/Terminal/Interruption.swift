import Dispatch
import Glibc
import Synchronization

/// The version of imrec and im2rec, as semver.org counts; tools/package takes it from this line.
public let programVersion = "0.2.0"

/// Exit statuses, the same for every verb.
public enum ExitStatus {
  public static let done: Int32 = 0
  public static let failed: Int32 = 1
  public static let someSkipped: Int32 = 2
  /// Done, but a figure is not as good as was asked for.
  public static let gateFailed: Int32 = 3
  public static let wrongUsage: Int32 = 64
}

/// Runs the whole program as one task that SIGINT and SIGTERM cancel: it then ends in order, its outputs
/// whole or absent. A second signal ends it at once.
public func runCancellably(_ body: @escaping @Sendable () async -> Int32) async -> Int32 {
  prepareProcess()
  // The program sees a closed pipe as an error of the write, not as its death.
  _ = signal(SIGPIPE, SIG_IGN)
  let work = Task(operation: body)
  let sources = [SIGINT, SIGTERM].map { number in
    _ = signal(number, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
    source.setEventHandler {
      interruptingSignal.store(number, ordering: .relaxed)
      _ = signal(number, SIG_DFL)
      work.cancel()
    }
    source.resume()
    return source
  }
  defer { for source in sources { source.cancel() } }
  return await work.value
}

private let interruptingSignal = Atomic<Int32>(0)

/// The name of the signal that asked the program to end, if one did.
public var interruptionName: String {
  switch interruptingSignal.load(ordering: .relaxed) {
  case SIGINT: "SIGINT (Ctrl-C)"
  case SIGTERM: "SIGTERM"
  default: "a cancellation"
  }
}
