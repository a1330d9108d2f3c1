import Glibc
import Synchronization

/// A temporary file without a name: gone when the last owner lets go of it, or the process ends in any way.
///
/// Only appended to, so that copies of a tally can share it.
final class SpillFile: Sendable {
  private let descriptor: Int32
  private let byteCount = Mutex(0)

  /// - Throws: a sentence that says why there is no such file.
  init(folder: String?) throws(SpillError) {
    let folder = folder ?? Self.defaultFolder()
    var descriptor = unsafe open(folder, O_RDWR | Self.nameless | O_CLOEXEC, 0o600)
    if descriptor < 0 && [EOPNOTSUPP, EISDIR, EINVAL].contains(errno) {
      // A file system without nameless files.
      let path = "\(folder)/imrec-rows-\(UInt64.random(in: .min ... .max))"
      descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
      if descriptor >= 0 { unsafe unlink(path) }
    }
    guard descriptor >= 0 else {
      throw SpillError(words: "no temporary file can be made in \(folder): \(Self.lastError())")
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// - Returns: where the values begin, in bytes.
  func append(_ values: [Double]) throws(SpillError) -> Int {
    let size = values.count * MemoryLayout<Double>.stride
    let start = byteCount.withLock { end in
      end += size
      return end - size
    }
    var done = 0
    while done < size {
      let got = unsafe values.withUnsafeBytes {
        unsafe pwrite(
          descriptor, $0.baseAddress.map { unsafe $0 + done }, size - done, off_t(start + done))
      }
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else {
        throw SpillError(words: "the temporary file cannot be written: \(Self.lastError())")
      }
      done += got
    }
    return start
  }

  /// Fills the whole of `values` from `start`.
  func read(at start: Int, into values: inout [Double]) throws(SpillError) {
    let size = values.count * MemoryLayout<Double>.stride
    var done = 0
    while done < size {
      let got = unsafe values.withUnsafeMutableBytes {
        unsafe pread(descriptor, $0.baseAddress.map { unsafe $0 + done }, size - done, off_t(start + done))
      }
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else {
        throw SpillError(words: "the temporary file cannot be read back: \(Self.lastError())")
      }
      done += got
    }
  }

  /// O_TMPFILE, a macro Swift does not see: __O_TMPFILE | O_DIRECTORY.
  private static var nameless: Int32 { 0o20_000_000 | O_DIRECTORY }

  private static func defaultFolder() -> String {
    if let folder = unsafe getenv("TMPDIR") {
      let path = unsafe String(cString: folder)
      if !path.isEmpty { return path }
    }
    // /var/tmp before /tmp: the latter is often held in memory.
    return unsafe access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp"
  }

  private static func lastError() -> String { unsafe String(cString: strerror(errno)) }
}

/// Why rows could not be kept.
struct SpillError: Error, Hashable {
  let words: String
}
