import Glibc

/// Of one call. Where more comes at once ext4 of Linux 6.16 and later takes larger pages for it, which are hard to find: writing
/// 1 GB by the megabyte takes three to five times as long.
private let largestWrite = 1 << 18

/// Hands all bytes to the system, in as many calls as it takes.
///
/// - Parameter offset: where in the file the first one goes; nil: where the file stands.
/// - Returns: nil, or the code of the error that ended it; EIO where a call made no progress and gave no error, which
///   must not go on for ever.
package func writeAll(_ bytes: Span<UInt8>, to descriptor: Int32, at offset: Int? = nil) -> Int32? {
  var done = 0
  while done < bytes.count {
    let got = unsafe bytes.withUnsafeBytes { bytes in
      let start = unsafe bytes.baseAddress.map { unsafe $0 + done }
      let left = min(bytes.count - done, largestWrite)
      return if let offset {
        unsafe pwrite(descriptor, start, left, off_t(offset + done))
      } else {
        unsafe write(descriptor, start, left)
      }
    }
    if got < 0 && errno == EINTR { continue }
    guard got > 0 else { return got < 0 ? errno : EIO }
    done += got
  }
  return nil
}
