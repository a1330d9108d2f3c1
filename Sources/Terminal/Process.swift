import CLinux
import Dispatch
import Glibc
import Synchronization

/// The version of imrec and im2rec, as semver.org counts; tools/package takes it from this line.
public let programVersion = "0.2.0"

/// Prepares the process, whatever it was started with.
///
/// - A closed stdin, stdout or stderr is opened on `/dev/null`. Otherwise the next file that is opened would get its
///   number, and messages for the terminal would be written into an output.
/// - Memory does not grow with the length of a run. By default, malloc raises its mmap threshold to the largest
///   picture seen and keeps an arena per thread, and these fragment (measured: 60 MB for 3,400 photographs, 114 MB
///   for 34,000; with both settings fixed, 52 MB for either).
/// - The limit on open files is raised to the maximum: a conversion into many folds opens several for each fold.
func prepareProcess() {
  for descriptor: Int32 in 0...2 where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
    // `open` returns the lowest free number, which is this one, since those below are open by now.
    _ = unsafe open("/dev/null", descriptor == STDIN_FILENO ? O_RDONLY : O_WRONLY)
  }
  mallopt(M_MMAP_THRESHOLD, 1 << 20)
  mallopt(M_ARENA_MAX, 2)
  // Buffers of some hundred kilobytes are allocated and freed all the time: keep their pages.
  mallopt(M_TRIM_THRESHOLD, 32 << 20)
  var limit = rlimit()
  let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  guard unsafe getrlimit(files, &limit) == 0 else { return }
  if limit.rlim_cur < limit.rlim_max {
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(files, &limit)
  }
  // The system libraries need some files too, and their errors do not name the cause when they get none.
  if limit.rlim_cur < 16 {
    writeToErrorOutput(
      "only \(limit.rlim_cur) files may be open at once (ulimit -n); at least 16 are needed\n")
    exit(ExitStatus.failed)
  }
}

/// Exit statuses, the same for every verb.
public enum ExitStatus {
  /// Everything was done.
  public static let done: Int32 = 0
  /// Nothing was done, or the run ended early.
  public static let failed: Int32 = 1
  /// Done, but some inputs were skipped.
  public static let someSkipped: Int32 = 2
  /// Done, but a metric did not reach the value that was asked for.
  public static let gateFailed: Int32 = 3
  /// The arguments are wrong; EX_USAGE of `sysexits.h`.
  public static let wrongUsage: Int32 = 64
}

/// Runs the program's work as a task that SIGINT or SIGTERM cancels, so that it ends in an orderly way, with outputs
/// that are complete or absent. A second signal kills the process.
///
/// - Returns: the exit status that `body` returned.
public func runCancellably(_ body: @escaping @Sendable () async -> Int32) async -> Int32 {
  prepareProcess()
  // A closed pipe is an error of the write, and must not kill the process.
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

/// The name of the signal that cancelled the run: "SIGTERM"; "a cancellation" where there was none.
public var interruptionName: String {
  switch interruptingSignal.load(ordering: .relaxed) {
  case SIGINT: "SIGINT (Ctrl-C)"
  case SIGTERM: "SIGTERM"
  default: "a cancellation"
  }
}
