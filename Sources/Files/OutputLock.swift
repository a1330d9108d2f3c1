import Glibc

/// Keeps an output (a folder, or files that share a prefix) for one process at a time.
///
/// The lock is a small file which says who holds it. Where the file system has `flock`, the kernel releases it with the
/// process, however that ends; a file that a killed process left behind is simply taken over. Where it has none (some
/// network file systems), the file alone is the lock: one of a process of this machine that has ended is taken over,
/// one of another machine's has to be removed by hand, and the error says so.
///
/// Released, and the file removed, when the value is dropped.
public struct OutputLock: ~Copyable, Sendable {
  private let path: String
  private let descriptor: Int32
  /// The file system has no `flock`; the lock holds only among programs that keep to it.
  public let isByFileOnly: Bool

  /// Takes the lock of a folder, by a file `.imrec.lock` in it.
  ///
  /// - Throws: `.held` with the words for who holds it.
  public init(folder: String) throws(FileError) {
    try self.init(file: join(folder, ".imrec.lock"), of: folder)
  }

  /// Takes the lock of the outputs whose names begin with `prefix`, by a file `<prefix>.imrec.lock`.
  public init(prefix: String) throws(FileError) { try self.init(file: prefix + ".imrec.lock", of: prefix) }

  /// - Parameter lock: `flock`, or what stands in for it in a test.
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
      // The former holder may have removed the file between our open and our lock.
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
/// Closing alone would not do: a child process that another thread starts at this moment has the descriptor, too, until
/// its `exec`, and the lock would last as long.
func unlockAndClose(_ descriptor: Int32) {
  flock(descriptor, LOCK_UN)
  close(descriptor)
}

/// Whether the code says that the file system has no locks, rather than that this one cannot be had.
func hasNoLocks(_ code: Int32) -> Bool { [ENOSYS, ENOLCK, EOPNOTSUPP, EINVAL].contains(code) }

/// The lock file of a partial file whose file system has no `flock`; `nil` where `flock` took it.
///
/// - Throws: `.inUse`; `.held` where only a lock file says so.
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

/// A lock by the mere existence of a file, removed with the value.
package final class LockFile: Sendable {
  private let path: String

  init(_ path: String, of output: String) throws(FileError) {
    try takeLockFile(path, of: output)
    self.path = path
  }

  deinit { unsafe unlink(path) }
}

/// Makes the file, with the words for this process in it, or takes over one whose process of this machine has ended.
private func takeLockFile(_ path: String, of output: String) throws(FileError) {
  let current = LockHolder.current
  for _ in 0..<8 {
    // Written whole before it has its name: nobody reads a half.
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
    // An empty file is what trying `flock` made.
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

/// Who holds a lock, as its file says it: host, process, when the process started, and that as a date.
struct LockHolder {
  let host: String
  let process: Int32
  /// In ticks since the machine started; with the number it names one process for good.
  let startTicks: String
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

  /// A process of this machine that is no more; of another machine's nothing is known.
  var hasEnded: Bool {
    guard isOnSameHost(as: .current) else { return false }
    return processStart(process).map { !hasSameBytes($0, startTicks) } ?? true
  }
}

/// When a process of this machine started, in ticks since the machine did; nil where there is none.
private func processStart(_ process: Int32) -> String? {
  // procfs files have no size: they are read until they end.
  let descriptor = unsafe open("/proc/\(process)/stat", O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  var bytes = [UInt8](repeating: 0, count: 4096)
  let got = unsafe read(descriptor, &bytes, bytes.count)
  guard got > 0 else { return nil }
  // The name, in brackets, may hold anything; the start is the twentieth field behind it.
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
