import Glibc

/// Size and time of last change: tells whether a file is still the one that was read before.
public struct FileStamp: Hashable, Sendable {
  public let byteCount: Int
  public let modifiedNanoseconds: Int

  public init(byteCount: Int, modifiedNanoseconds: Int) {
    self.byteCount = byteCount
    self.modifiedNanoseconds = modifiedNanoseconds
  }

  init(_ info: stat) {
    byteCount = Int(info.st_size)
    modifiedNanoseconds = Int(info.st_mtim.tv_sec) &* 1_000_000_000 &+ Int(info.st_mtim.tv_nsec)
  }

  /// How long to wait until the file has been left alone for a tenth of a second; 0 for a time in the future, which
  /// says nothing: clocks of file servers differ.
  var nanosecondsToRest: Int {
    var now = timespec()
    guard unsafe clock_gettime(CLOCK_REALTIME, &now) == 0 else { return 0 }
    let age = Int(now.tv_sec) &* 1_000_000_000 &+ Int(now.tv_nsec) &- modifiedNanoseconds
    return (0..<100_000_000).contains(age) ? 100_000_000 - age : 0
  }

  /// The stamp of the file at `path`, links followed; `nil` where there is none.
  public init?(path: String) {
    var info = stat()
    guard unsafe stat(path, &info) == 0 else { return nil }
    self.init(info)
  }
}

/// A regular file opened for reading at any offset; the descriptor closes with the value.
///
/// FIFOs, sockets, devices and folders are refused without blocking on them.
public struct InputFile: ~Copyable {
  public let path: String
  public let stamp: FileStamp
  private let descriptor: Int32

  public init(_ path: String) throws(FileError) {
    // O_NONBLOCK so that opening a FIFO without a writer returns; it does nothing to a regular file.
    let descriptor = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else {
      // Sockets cannot be opened at all; say what they are instead of "no such device or address".
      if errno == ENXIO { throw FileError(.notRegular("a socket or a device"), path: path) }
      throw FileError.last("open", path)
    }
    var info = stat()
    guard unsafe fstat(descriptor, &info) == 0 else {
      let error = FileError.last("stat", path)
      close(descriptor)
      throw error
    }
    if let kind = describeSpecial(info.st_mode) {
      close(descriptor)
      throw FileError(.notRegular(kind), path: path)
    }
    self.path = path
    self.descriptor = descriptor
    stamp = FileStamp(info)
  }

  deinit { close(descriptor) }

  public var byteCount: Int { stamp.byteCount }

  /// Reads up to `buffer.byteCount` bytes from `offset`.
  /// - Returns: how many bytes there were; fewer than asked for only at the end of the file.
  public func read(at offset: Int, into buffer: inout MutableRawSpan) throws(FileError) -> Int {
    let wanted = buffer.byteCount
    var total = 0
    while total < wanted {
      let got = unsafe buffer.withUnsafeMutableBytes { bytes in
        unsafe pread(
          descriptor, bytes.baseAddress.map { unsafe $0 + total }, wanted - total, off_t(offset + total))
      }
      if got < 0 {
        if errno == EINTR { continue }
        throw FileError.last("read", path)
      }
      if got == 0 { break }
      total += got
    }
    return total
  }

  /// Whether the file has still the size and time of last change it had when it was opened.
  public func isUnchanged() -> Bool {
    var info = stat()
    return unsafe fstat(descriptor, &info) == 0 && FileStamp(info) == stamp
  }
}

/// The whole of a regular file, and its stamp.
///
/// A file that was written to a moment ago may be in the middle of that: its time of last change is set when a write
/// begins, not when it ends. Such a file is read when it has been left alone for a tenth of a second.
///
/// - Parameter limit: a file larger than this is refused before memory is taken.
/// - Throws: `.changed` if the file kept changing under several attempts: the bytes are always of one version.
public func readFile(_ path: String, limit: Int = .max) throws(FileError) -> (
  bytes: [UInt8], stamp: FileStamp
) {
  for _ in 0..<8 {
    let file = try InputFile(path)
    guard file.byteCount <= limit else {
      throw FileError(.tooLarge(byteCount: file.byteCount, limit: limit), path: path)
    }
    let wait = file.stamp.nanosecondsToRest
    if wait > 0 {
      var time = timespec(tv_sec: 0, tv_nsec: wait)
      _ = unsafe nanosleep(&time, nil)
      continue
    }
    let bytes = try readAll(file)
    if bytes.count == file.byteCount && file.isUnchanged() { return (bytes, file.stamp) }
  }
  throw FileError(.changed, path: path)
}

/// The first bytes of a regular file, at most `byteCount`.
public func readStart(of path: String, byteCount: Int) throws(FileError) -> [UInt8] {
  let file = try InputFile(path)
  return try read(file, byteCount: min(file.byteCount, byteCount))
}

/// The last bytes of a regular file, at most `byteCount`, and where in it they begin.
public func readEnd(of path: String, byteCount: Int) throws(FileError) -> (offset: Int, bytes: [UInt8]) {
  let file = try InputFile(path)
  let offset = max(0, file.byteCount - byteCount)
  return (offset, try read(file, at: offset, byteCount: file.byteCount - offset))
}

/// What is in the file, and one byte more than its size, so that growth is seen.
private func readAll(_ file: borrowing InputFile) throws(FileError) -> [UInt8] {
  try read(file, byteCount: file.byteCount + 1)
}

private func read(
  _ file: borrowing InputFile, at offset: Int = 0, byteCount: Int
) throws(FileError) -> [UInt8] {
  var count = 0
  var failure: FileError?
  let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initialized in
    var span = unsafe MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(buffer))
    do throws(FileError) {
      count = try file.read(at: offset, into: &span)
    } catch {
      failure = error
    }
    initialized = count
  }
  if let failure { throw failure }
  return bytes
}

/// What a path names if it is no regular file: "a folder", "a FIFO", ...; `nil` for a regular file.
func describeSpecial(_ mode: mode_t) -> String? {
  switch mode & S_IFMT {
  case S_IFREG: nil
  case S_IFDIR: "a folder"
  case S_IFIFO: "a FIFO"
  case S_IFSOCK: "a socket"
  case S_IFCHR, S_IFBLK: "a device"
  default: "something special"
  }
}
