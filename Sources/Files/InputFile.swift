import Glibc

/// A file's size and modification time: equal stamps mean that the file has not changed in between.
public struct FileStamp: Hashable, Sendable {
  /// The size in bytes.
  public let byteCount: Int
  /// The modification time in nanoseconds since 1970.
  public let modifiedNanoseconds: Int

  /// A stamp that was stored earlier, for example in a journal.
  public init(byteCount: Int, modifiedNanoseconds: Int) {
    self.byteCount = byteCount
    self.modifiedNanoseconds = modifiedNanoseconds
  }

  init(_ info: stat) {
    byteCount = Int(info.st_size)
    modifiedNanoseconds = Int(info.st_mtim.tv_sec) &* 1_000_000_000 &+ Int(info.st_mtim.tv_nsec)
  }

  /// How many nanoseconds to wait until the last modification is a tenth of a second old. 0 where that time lies in the
  /// future, which proves nothing: the clock of a file server may differ.
  var nanosecondsToRest: Int {
    var now = timespec()
    guard unsafe clock_gettime(CLOCK_REALTIME, &now) == 0 else { return 0 }
    let age = Int(now.tv_sec) &* 1_000_000_000 &+ Int(now.tv_nsec) &- modifiedNanoseconds
    return (0..<100_000_000).contains(age) ? 100_000_000 - age : 0
  }

  /// The stamp of the file at `path`, symbolic links followed; `nil` where there is no such file.
  public init?(path: String) {
    var info = stat()
    guard unsafe stat(path, &info) == 0 else { return nil }
    self.init(info)
  }
}

/// A regular file opened for reading at any offset. The value owns the descriptor and closes it.
///
/// FIFOs, sockets, devices and folders are refused; opening one does not block.
public struct InputFile: ~Copyable {
  /// The path as the caller gave it.
  public let path: String
  /// The size and modification time when the file was opened.
  public let stamp: FileStamp
  private let descriptor: Int32

  /// Opens the file for reading; symbolic links are followed.
  ///
  /// - Throws: `.system` where it cannot be opened; `.notRegular`.
  public init(_ path: String) throws(FileError) {
    // O_NONBLOCK so that opening a FIFO without a writer returns; it does nothing to a regular file.
    let descriptor = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else {
      // Sockets cannot be opened at all; the system's "no such device or address" would not help.
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

  /// The size when the file was opened.
  public var byteCount: Int { stamp.byteCount }

  /// Reads up to `buffer.byteCount` bytes from `offset` on.
  ///
  /// - Returns: how many bytes were read; fewer than the buffer holds only at the end of the file.
  /// - Throws: `.system` where the read fails.
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

  /// Reads up to `byteCount` bytes from `offset` on into a new array.
  ///
  /// - Returns: the bytes; fewer than `byteCount` only at the end of the file.
  /// - Throws: `.system` where the read fails.
  package func read(at offset: Int, byteCount: Int) throws(FileError) -> [UInt8] {
    var count = 0
    var failure: FileError?
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initialized in
      var span = unsafe MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(buffer))
      do throws(FileError) {
        count = try read(at: offset, into: &span)
      } catch {
        failure = error
      }
      initialized = count
    }
    if let failure { throw failure }
    return bytes
  }

  /// Whether the file still has the size and modification time that it had when it was opened.
  public func isUnchanged() -> Bool {
    var info = stat()
    return unsafe fstat(descriptor, &info) == 0 && FileStamp(info) == stamp
  }
}

/// The contents of a regular file, and its stamp. All bytes come from one version of the file.
///
/// The modification time is set when a write begins, not when it ends, so a file that was modified a moment ago may be
/// half written. Such a file is read only when its last modification is a tenth of a second old.
///
/// - Parameter limit: a file of more bytes is refused before memory is allocated.
/// - Throws: `.tooLarge`; `.changed` if the file kept changing during eight attempts; what `InputFile` throws.
/// - Complexity: O(file), which is held in memory.
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
    // One byte more than the size is asked for, so that growth is noticed.
    let bytes = try file.read(at: 0, byteCount: file.byteCount + 1)
    if bytes.count == file.byteCount && file.isUnchanged() { return (bytes, file.stamp) }
  }
  throw FileError(.changed, path: path)
}

/// The first bytes of a regular file, at most `byteCount`.
///
/// - Throws: what `InputFile` throws.
public func readStart(of path: String, byteCount: Int) throws(FileError) -> [UInt8] {
  let file = try InputFile(path)
  return try file.read(at: 0, byteCount: min(file.byteCount, byteCount))
}

/// The last bytes of a regular file, at most `byteCount`, and the offset of the first of them.
///
/// - Throws: what `InputFile` throws.
public func readEnd(of path: String, byteCount: Int) throws(FileError) -> (offset: Int, bytes: [UInt8]) {
  let file = try InputFile(path)
  let offset = max(0, file.byteCount - byteCount)
  return (offset, try file.read(at: offset, byteCount: file.byteCount - offset))
}

/// What is at a path that does not name a regular file: "a folder", "a FIFO", ...; `nil` for a regular file.
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
