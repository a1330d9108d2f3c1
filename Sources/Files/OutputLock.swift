import Glibc

/// Reserves an output (a folder, or files that share a prefix) for one process at a time.
///
/// The lock is a small file that says who holds it. Where the file system supports `flock`, the kernel releases the
/// lock when the process ends, however that happens; a lock file that a killed process left behind is taken over.
/// Where it does not (some network file systems), the file alone is the lock: it is taken over if its process ran on
/// this machine and has ended. A lock file from another machine has to be removed by hand, and the error names it.
///
/// When the value is destroyed, the file is removed and the lock released.
public struct OutputLock: ~Copyable, Sendable {
  private let path: String
  private let descriptor: Int32
  /// The file system does not support `flock`, so only programs that respect the lock file are kept out.
  public let isByFileOnly: Bool

  /// Locks a folder with the file `.imrec.lock` in it. The folder must exist.
  ///
  /// - Throws: `.held` with a description of the holder; `.noFolder`; `.system`.
  public init(folder: String) throws(FileError) {
    try self.init(file: join(folder, ".imrec.lock"), of: folder)
  }

  /// Locks the outputs whose paths begin with `prefix`, with the file `<prefix>.imrec.lock`.
  ///
  /// - Throws: as `init(folder:)`.
  public init(prefix: String) throws(FileError) { try self.init(file: prefix + ".imrec.lock", of: prefix) }

  /// - Parameter lock: `flock`; a test passes another function.
  init(
    file path: String, of output: String, lock: (Int32) -> Int32 = { flock($0, LOCK_EX | LOCK_NB) }
  ) throws(FileError) {
    self.path = path
    while true {
      let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
      guard descriptor >= 0 else {
        if errno == ENOENT { throw FileError(.noFolder(folderName(path)), path: output) }
        throw FileError.last("write", path)
      }
      var code: Int32 = 0
      repeat { code = lock(descriptor) == 0 ? 0 : errno } while code == EINTR
      if code == EWOULDBLOCK {
        let words = LockHolder(readingFrom: descriptor)?.words ?? "another process"
        close(descriptor)
        throw FileError(.held(by: words), path: output)
      }
      if hasNoLocks(code) {
        close(descriptor)
        try takeLockFile(path, of: output)
        self.descriptor = -1
        isByFileOnly = true
        return
      }
      guard code == 0 else {
        close(descriptor)
        throw FileError(.system(call: "lock", code: code), path: path)
      }
      // The former holder may have removed the file between `open` and `flock`.
      guard isStillNamed(descriptor, path) else {
        close(descriptor)
        continue
      }
      _ = ftruncate(descriptor, 0)
      _ = writeAll(Array(LockHolder.current.text.utf8).span, to: descriptor, at: 0)
      self.descriptor = descriptor
      isByFileOnly = false
      return
    }
  }

  deinit {
    unsafe unlink(path)
    if descriptor >= 0 { unlockAndClose(descriptor) }
  }
}

/// Releases a `flock` and closes its descriptor.
///
/// `close` alone is not enough: a child process that another thread has just forked shares the descriptor until its
/// `exec`, and would keep the lock that long.
package func unlockAndClose(_ descriptor: Int32) {
  flock(descriptor, LOCK_UN)
  close(descriptor)
}

/// Whether this `errno` of `flock` means that the file system does not support locks, rather than that this lock is
/// taken.
func hasNoLocks(_ code: Int32) -> Bool { [ENOSYS, ENOLCK, EOPNOTSUPP, EINVAL].contains(code) }

/// Locks a partial file or folder for writing: with `flock`, or with a lock file where the file system does not
/// support it.
///
/// - Returns: the lock file, which the caller keeps as long as the lock; `nil` where `flock` succeeded.
/// - Throws: `.inUse`; `.held` where a lock file names the holder; `.system`.
package func lockForWriting(
  _ descriptor: Int32, _ partialPath: String, of output: String
) throws(FileError) -> LockFile? {
  while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
    let code = errno
    if code == EINTR { continue }
    if hasNoLocks(code) { return try LockFile(partialPath + ".lock", of: output) }
    throw FileError(code == EWOULDBLOCK ? .inUse : .system(call: "lock", code: code), path: output)
  }
  return nil
}

/// A lock that consists in the existence of a file. The file is removed with the object.
package final class LockFile: Sendable {
  private let path: String

  init(_ path: String, of output: String) throws(FileError) {
    try takeLockFile(path, of: output)
    self.path = path
  }

  deinit { unsafe unlink(path) }
}

/// Creates the lock file with a description of this process in it, or takes over one whose process ran on this
/// machine and has ended.
private func takeLockFile(_ path: String, of output: String) throws(FileError) {
  let current = LockHolder.current
  for _ in 0..<8 {
    // Written completely before it gets its name, so that nobody reads half of it.
    let own = "\(path).\(current.process)"
    let descriptor = unsafe open(own, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { throw FileError.last("write", own) }
    let failure = writeAll(Array(current.text.utf8).span, to: descriptor, at: 0)
    close(descriptor)
    defer { unsafe unlink(own) }
    if let failure { throw FileError(.system(call: "write", code: failure), path: own) }
    if unsafe link(own, path) == 0 { return }
    guard errno == EEXIST else { throw FileError.last("lock", path) }
    let holder = (try? readStart(of: path, byteCount: 4096)).flatMap { LockHolder(text: $0) }
    // An empty file was created by an attempt to use `flock`.
    let isEmpty = FileStamp(path: path)?.byteCount == 0
    guard isEmpty || holder?.hasEnded == true else {
      throw FileError(.held(by: (holder?.words ?? "another process") + " (\(path))"), path: output)
    }
    unsafe unlink(path)
  }
  throw FileError(.held(by: "another process (\(path))"), path: output)
}

private func isStillNamed(_ descriptor: Int32, _ path: String) -> Bool {
  var (opened, named) = (stat(), stat())
  return unsafe fstat(descriptor, &opened) == 0 && stat(path, &named) == 0
    && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev
}

/// Who holds a lock, as the lock file says.
struct LockHolder {
  let host: String
  let process: Int32
  /// When the process started, in clock ticks since the machine booted. Together with the process number it
  /// identifies one process, even when numbers are reused.
  let startTicks: String
  /// When the lock was taken, as a date.
  let started: String

  static var current: LockHolder {
    var name = [CChar](repeating: 0, count: 256)
    unsafe gethostname(&name, name.count - 1)
    let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return LockHolder(
      host: host, process: getpid(), startTicks: processStart(getpid()) ?? "", started: presentTime())
  }

  private init(host: String, process: Int32, startTicks: String, started: String) {
    (self.host, self.process, self.startTicks, self.started) = (host, process, startTicks, started)
  }

  init?(text: [UInt8]) {
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count >= 4, let process = Int32(lines[1]), process > 0 else { return nil }
    self.init(
      host: String(lines[0]), process: process, startTicks: String(lines[2]), started: String(lines[3]))
  }

  init?(readingFrom descriptor: Int32) {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let got = unsafe pread(descriptor, &bytes, bytes.count, 0)
    guard got > 0 else { return nil }
    self.init(text: Array(bytes[..<got]))
  }

  private func isOnSameHost(as other: LockHolder) -> Bool { hasSameBytes(host, other.host) }

  var text: String { "\(host)\n\(process)\n\(startTicks)\n\(started)\n" }

  var words: String {
    let place = isOnSameHost(as: .current) ? "" : " on \(host)"
    return "process \(process)\(place), since \(started)"
  }

  /// Whether the process ran on this machine and has ended. Nothing is known about processes of other machines.
  var hasEnded: Bool {
    guard isOnSameHost(as: .current) else { return false }
    return processStart(process).map { !hasSameBytes($0, startTicks) } ?? true
  }
}

/// When a process of this machine started, in clock ticks since boot; nil where there is no such process.
private func processStart(_ process: Int32) -> String? {
  // A file of procfs reports the size 0, so `readFile` would not do.
  let descriptor = unsafe open("/proc/\(process)/stat", O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  var bytes = [UInt8](repeating: 0, count: 4096)
  let got = unsafe read(descriptor, &bytes, bytes.count)
  guard got > 0 else { return nil }
  // The name, in parentheses, may contain any character; the start time is the twentieth field after it.
  let fields = bytes[..<got].reversed().prefix { $0 != UInt8(ascii: ")") }.reversed().split(separator: 0x20)
  return fields.count > 19 ? String(decoding: fields[19], as: UTF8.self) : nil
}

private func presentTime() -> String {
  var now = time(nil)
  var text = [CChar](repeating: 0, count: 32)
  unsafe withUnsafeTemporaryAllocation(of: tm.self, capacity: 1) { parts in
    guard let parts = parts.baseAddress, unsafe gmtime_r(&now, parts) != nil else { return }
    _ = unsafe strftime(&text, text.count, "%Y-%m-%d %H:%M:%S UTC", parts)
  }
  return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// What to know of a folder whose file system has no locks.
package func wordsOfLockFile(in folder: String) -> String {
  "\(folder): its file system has no locks; the file .imrec.lock stands in for one, and must be removed by hand where a "
    + "process on another machine left it behind"
}
