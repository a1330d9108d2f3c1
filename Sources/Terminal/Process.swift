import CLinux
import Dispatch
import Glibc
import Synchronization

/// Makes the process safe to work in, whatever it was started with.
///
/// - A closed stdin, stdout or stderr becomes `/dev/null`. Else the next file opened would get its number, and words
///   meant for the terminal would be written into an output.
/// - Memory does not grow with the length of a run: left alone, malloc raises its threshold to the largest picture seen
///   and keeps an arena a thread, which then fragment (measured: 60 MB for 3,400 photographs, 114 MB for 34,000;
///   with both fixed 52 MB for either).
/// - As many files may be open as the system allows this user: a conversion into many folds holds several for each.
func prepareProcess() {
  for descriptor: Int32 in 0...2 where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
    // The lowest free number is given: this one, since those below are open by now.
    _ = unsafe open("/dev/null", descriptor == STDIN_FILENO ? O_RDONLY : O_WRONLY)
  }
  mallopt(M_MMAP_THRESHOLD, 1 << 20)
  mallopt(M_ARENA_MAX, 2)
  // Pictures of some hundred kilobytes come and go: their pages are kept, not given back and asked for again.
  mallopt(M_TRIM_THRESHOLD, 32 << 20)
  var limit = rlimit()
  let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  guard unsafe getrlimit(files, &limit) == 0 else { return }
  if limit.rlim_cur < limit.rlim_max {
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(files, &limit)
  }
  // The libraries below need some for themselves, and do not say what is wrong when they get none.
  if limit.rlim_cur < 16 {
    writeToErrorOutput(
      "only \(limit.rlim_cur) files may be open at once (ulimit -n); at least 16 are needed\n")
    exit(ExitStatus.failed)
  }
}

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
