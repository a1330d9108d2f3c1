import CProcesses
import Glibc
import Synchronization

/// A job while it runs; it may be stopped from any thread, and more than once.
public final class Child: Sendable {
  enum Wish: Int, Comparable {
    case none, stop, kill

    static func < (left: Wish, right: Wish) -> Bool { left.rawValue < right.rawValue }
  }
  private let wished = Mutex(Wish.none)
  private let number = Mutex<Int32?>(nil)

  init() {}

  /// The ID of its process, which is that of its process group, too; nil before it has started.
  public var pid: Int32? { number.withLock { $0 } }

  /// Asks it to end (SIGTERM to its process group), and kills it when its grace period is over. Returns at once.
  public func stop() { wish(.stop) }

  /// Kills it (SIGKILL to its process group). Returns at once.
  public func kill() { wish(.kill) }

  var wish: Wish { wished.withLock { $0 } }

  func began(_ pid: Int32) { number.withLock { $0 = pid } }

  private func wish(_ new: Wish) {
    let isNew = wished.withLock { wish in
      if new <= wish { return false }
      wish = new
      return true
    }
    if isNew { Supervisor.shared.wake() }
  }
}

/// Runs a program to its end.
///
/// The program gets a process group of its own; processes of the group that outlive the program are killed. The program is
/// killed, too, when this process ends in any way, `kill -9` included (its children are not, unless they watch for that
/// themselves). Cancelling the task stops the program, as `Child.stop` does; the call still waits for its end.
///
/// - Parameter started: called with the running job by the thread that watches all jobs; it must not block.
/// - Throws: `JobError` where the program does not start; `CancellationError` where the task was cancelled before.
/// - Complexity: one thread for all jobs together, and one file descriptor for each.
public func run(
  _ command: Command, started: @escaping @Sendable (Child) -> Void = { _ in }
) async throws -> Ending {
  let child = Child()
  return try await withTaskCancellationHandler {
    try await withCheckedThrowingContinuation { continuation in
      Supervisor.shared.start(
        Supervisor.Order(command: command, child: child, started: started) { continuation.resume(with: $0) })
    }
  } onCancel: {
    child.stop()
  }
}

/// The thread that starts all jobs and waits for them. It sleeps until a job ends, is asked to end, or reaches its time
/// limit.
///
/// Only this thread starts jobs: the kernel kills a job when the thread that started it ends (PR_SET_PDEATHSIG), and
/// threads of a pool come and go.
final class Supervisor: Sendable {
  static let shared = Supervisor()

  struct Order: Sendable {
    let command: Command
    let child: Child
    let started: @Sendable (Child) -> Void
    let ended: @Sendable (Result<Ending, any Error>) -> Void
  }

  private let orders = Mutex<[Order]>([])
  /// An event descriptor that is written to in order to wake the thread.
  private let bell: Int32

  private init() {
    bell = make_bell()
    precondition(bell >= 0, "the system gives an event descriptor for the jobs")
    var thread = pthread_t()
    let start = unsafe Unmanaged.passRetained(self).toOpaque()
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        guard let argument = unsafe argument else { return nil }
        unsafe Unmanaged<Supervisor>.fromOpaque(argument).takeRetainedValue().superviseJobs()
      }, start)
    precondition(
      status == 0, "the system gives a thread for the jobs: \(unsafe String(cString: strerror(status)))")
  }

  func start(_ order: Order) {
    orders.withLock { $0.append(order) }
    wake()
  }

  /// Wakes the thread, which then looks at all orders and wishes.
  func wake() {
    var one: UInt64 = 1
    _ = unsafe write(bell, &one, 8)
  }

  private func superviseJobs() -> Never {
    var jobs: [SupervisedJob] = []
    while true {
      var waited = [pollfd(fd: bell, events: Int16(POLLIN), revents: 0)]
      waited += jobs.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
      let timeout = jobs.compactMap(\.deadline).min().map { milliseconds(until: $0) } ?? -1
      _ = unsafe poll(&waited, nfds_t(waited.count), timeout)
      var count: UInt64 = 0
      _ = unsafe read(bell, &count, 8)
      for index in jobs.indices.reversed() {
        if waited[index + 1].revents != 0 {
          jobs.remove(at: index).end()
        } else {
          jobs[index].act()
        }
      }
      for order in orders.withLock({ orders in
        let taken = orders
        orders = []
        return taken
      }) {
        if let job = SupervisedJob(order) { jobs.append(job) }
      }
    }
  }

  /// Rounded up, so that the time has come when the wait is over, and at most a minute.
  private func milliseconds(until time: ContinuousClock.Instant) -> Int32 {
    let left = (time - .now) / .milliseconds(1)
    return Int32(exactly: min(max(left, 0), 60_000).rounded(.up)) ?? 0
  }
}

/// A running job.
private struct SupervisedJob {
  let descriptor: Int32
  private let pid: Int32
  private let order: Supervisor.Order
  private let begin = ContinuousClock.now
  private let memoryKills = memoryKillCount()
  private var cause = Ending.Cause.itself
  private var killTime: ContinuousClock.Instant?
  private var wasKilled = false

  /// Starts the job; where that fails, `order.ended` is called and the result is nil.
  init?(_ order: Supervisor.Order) {
    guard order.child.wish == .none else {
      order.ended(.failure(CancellationError()))
      return nil
    }
    do {
      pid = try start(order.command)
    } catch {
      order.ended(.failure(error))
      return nil
    }
    descriptor = open_process(pid)
    if descriptor < 0 {
      let code = errno
      _ = Glibc.kill(-pid, SIGKILL)
      var (status, peak): (Int32, Int64) = (0, 0)
      _ = unsafe reap_process(pid, &status, &peak)
      order.ended(
        .failure(
          JobError(.system(what: "the process cannot be watched", code: code), path: order.command.program)))
      return nil
    }
    self.order = order
    order.child.began(pid)
    order.started(order.child)
  }

  /// When the job must be looked at again, unless it ends or is asked to end before.
  var deadline: ContinuousClock.Instant? {
    if wasKilled { return nil }
    return killTime ?? order.command.timeLimit.map { begin + $0 }
  }

  /// Sends the signals that are wished for or due.
  mutating func act() {
    let now = ContinuousClock.now
    if killTime == nil {
      if order.child.wish != .none {
        ask(.stopped, now)
      } else if let limit = order.command.timeLimit, now >= begin + limit {
        ask(.timeLimit, now)
      }
    }
    guard !wasKilled, let killTime else { return }
    if order.child.wish == .kill || now >= killTime {
      wasKilled = true
      _ = Glibc.kill(-pid, SIGKILL)
    }
  }

  private mutating func ask(_ cause: Ending.Cause, _ now: ContinuousClock.Instant) {
    self.cause = cause
    killTime = now + order.command.gracePeriod
    _ = Glibc.kill(-pid, SIGTERM)
    // A job that is suspended (SIGSTOP) would not get the signal.
    _ = Glibc.kill(-pid, SIGCONT)
  }

  /// Kills what is left of the process group, reaps the process, and reports its end.
  func end() {
    // Until the process is reaped, its ID, which is the group's, too, cannot be reused.
    _ = Glibc.kill(-pid, SIGKILL)
    var (status, peak): (Int32, Int64) = (0, 0)
    _ = unsafe reap_process(pid, &status, &peak)
    close(descriptor)
    let signal = status & 0x7f
    let isOutOfMemory = signal == SIGKILL && !wasKilled && memoryKillCount() > memoryKills
    order.ended(
      .success(
        Ending(
          status: signal == 0 ? .exited((status >> 8) & 0xff) : .signalled(signal), cause: cause,
          wasKilled: wasKilled, isOutOfMemory: isOutOfMemory, peakByteCount: Int(peak), duration: .now - begin
        )))
  }
}

/// How many processes the kernel has killed because the machine or a control group was out of memory.
private func memoryKillCount() -> Int {
  let descriptor = unsafe open("/proc/vmstat", O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return 0 }
  defer { close(descriptor) }
  var bytes = [UInt8](repeating: 0, count: 1 << 15)
  let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
  let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  let line = text.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
  return line.flatMap { Int($0.dropFirst("oom_kill ".count)) } ?? 0
}

/// The bytes of a log that are allocated on the disk from the beginning.
private let logReserve: Int64 = 16 << 10

/// Starts a command's program.
///
/// - Returns: the ID of its process, which the caller must reap.
func start(_ command: Command) throws(JobError) -> Int32 {
  let variables = command.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
  for text in [command.program, command.folder, command.logPath] + command.arguments + variables
  where text.utf8.contains(0) {
    throw JobError(.zeroByte(in: text), path: command.program)
  }
  let output = unsafe open(command.logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0o666)
  guard output >= 0 else {
    throw JobError(.system(what: "the log cannot be opened", code: errno), path: command.logPath)
  }
  defer { close(output) }
  // When the disk is full, what the job then says is what explains its failure.
  reserve_room(output, logReserve)
  let arguments = TextArray([command.program] + command.arguments)
  let environment = TextArray(variables)
  let started = unsafe command.program.withCString { program in
    unsafe command.folder.withCString { folder in
      unsafe arguments.texts.withUnsafeBufferPointer { arguments in
        unsafe environment.texts.withUnsafeBufferPointer { environment in
          guard let first = arguments.baseAddress, let variable = environment.baseAddress else {
            return process_started(pid: -1, failed_stage: stage_setup, error: EINVAL)
          }
          var start = unsafe process_start(
            program: program, arguments: first, environment: variable, folder: folder, output: output,
            data_limit: UInt64(max(0, command.memoryLimit ?? 0)))
          return unsafe start_process(&start)
        }
      }
    }
  }
  guard started.pid < 0 else { return started.pid }
  switch started.failed_stage {
  case stage_folder:
    throw JobError(
      .system(what: "its folder \(command.folder) cannot be entered", code: started.error),
      path: command.program)
  case stage_program:
    throw JobError(.system(what: "the program cannot be run", code: started.error), path: command.program)
  default:
    throw JobError(.system(what: "no process can be started", code: started.error), path: command.program)
  }
}

/// An array of C strings that ends with a null pointer.
@safe private final class TextArray {
  let texts: [UnsafeMutablePointer<CChar>?]

  init(_ texts: [String]) { unsafe self.texts = texts.map { unsafe strdup($0) } + [nil] }

  deinit { for index in unsafe texts.indices { unsafe free(texts[index]) } }
}

/// "Killed", "Terminated".
func signalName(_ number: Int32) -> String {
  guard let name = unsafe strsignal(number) else { return "unknown" }
  return unsafe String(cString: name)
}
