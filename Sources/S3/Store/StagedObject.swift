import CLinux
import Encodings
import Files
import Glibc
import Synchronization

/// A temporary file that becomes an object, or a part of one, once it is complete.
///
/// `write` and `digest` each take all bytes, and may run concurrently on two threads: a large object is
/// written while its digests are computed. The file is removed when the value is released, unless it was
/// given a name.
public final class StagedObject: Sendable {
  private struct Writing {
    var byteCount = 0
    /// How many of the written bytes the kernel has been asked to write back to disk.
    var begunByteCount = 0
    var isPlaced = false
  }
  private struct Digests {
    var md5 = Digest(.md5)
    var sha256: Digest?
    var checksum: ChecksumState?
  }
  let path: String
  let descriptor: Int32
  private let writing = Mutex(Writing())
  private let digests: Mutex<Digests>
  private let durably: Bool
  private static let writeBackByteCount = 8 << 20

  /// - Parameters:
  ///   - checksum: computed in addition to the MD5 digest that every object has.
  ///   - withSHA256: whether to compute the SHA-256 digest as well, to compare it with the signed one.
  ///   - durably: whether `sync` will be called at the end. If so, write-back begins early, so that `sync`
  ///     has little left to wait for.
  init(in folder: String, checksum: ChecksumAlgorithm?, withSHA256: Bool, durably: Bool) throws(ObjectError) {
    self.durably = durably
    path = "\(folder)/\(randomHexText())"
    digests = Mutex(
      Digests(sha256: withSHA256 ? Digest(.sha256) : nil, checksum: checksum.map { ChecksumState($0) }))
    descriptor = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { throw ObjectError.last("write", path) }
    // The lock tells whoever looks for leftovers that this file is in use.
    flock(descriptor, LOCK_EX | LOCK_NB)
  }

  deinit {
    if descriptor >= 0 {
      if !writing.withLock({ $0.isPlaced }) { unsafe unlink(path) }
      close(descriptor)
    }
  }

  /// The number of bytes written so far.
  public var byteCount: Int { writing.withLock { $0.byteCount } }

  /// Appends bytes to the file, but not to the digests.
  public func write(_ bytes: Span<UInt8>) throws(ObjectError) {
    let code = writing.withLock { writing -> Int32? in
      if let code = writeAll(bytes, to: descriptor, at: writing.byteCount) { return code }
      writing.byteCount += bytes.count
      let waiting = writing.byteCount - writing.begunByteCount
      if durably && waiting >= Self.writeBackByteCount {
        begin_write_back(descriptor, Int64(writing.begunByteCount), Int64(waiting))
        writing.begunByteCount = writing.byteCount
      }
      return nil
    }
    if let code { throw ObjectError(FileError(.system(call: "write", code: code), path: path)) }
  }

  /// Adds bytes to the digests. Must get the same bytes as `write`, in the same order.
  public func digest(_ bytes: Span<UInt8>) {
    digests.withLock { digests in
      digests.md5.update(bytes)
      digests.sha256?.update(bytes)
      digests.checksum?.update(bytes)
    }
  }

  /// Appends bytes to the file and to the digests.
  public func append(_ bytes: Span<UInt8>) throws(ObjectError) {
    try write(bytes)
    digest(bytes)
  }

  var md5: [UInt8] { digests.withLock { $0.md5.bytes } }
  var checksum: Checksum? { digests.withLock { $0.checksum?.checksum } }

  /// Compares the received bytes with what the client announced.
  ///
  /// - Throws: `.badDigest`, `.contentSHA256Mismatch`.
  func check(_ expected: ExpectedDigests) throws(ObjectError) {
    let sha256 = digests.withLock { $0.sha256 }.map { hexText($0.bytes) }
    try expected.check(md5: md5, sha256: sha256, checksum: checksum)
  }

  /// Appends bytes of an object to the file, but not to the digests.
  func copy(_ source: ObjectReader, _ range: Range<Int>) throws(ObjectError) {
    let offset = byteCount
    guard lseek(descriptor, off_t(offset), SEEK_SET) >= 0 else { throw ObjectError.last("write", path) }
    try source.copy(range, to: descriptor)
    writing.withLock { $0.byteCount += range.count }
  }

  func sync() throws(ObjectError) {
    guard fsync(descriptor) == 0 else { throw ObjectError.last("write", path) }
  }

  func identity() throws(ObjectError) -> FileIdentity {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw ObjectError.last("stat", path) }
    return FileIdentity(status)
  }

  /// Moves the file to its final name.
  ///
  /// - Returns: nil on success, otherwise the `errno`.
  func place(_ name: [UInt8], in folder: borrowing StoreFolder) -> Int32? {
    guard unsafe renameat(AT_FDCWD, path, folder.descriptor, cName(name)) == 0 else { return errno }
    writing.withLock { $0.isPlaced = true }
    return nil
  }
}

/// The digests that a client states for the bytes that it sends.
public struct ExpectedDigests: Hashable, Sendable {
  /// 16 bytes.
  public var md5: [UInt8]?
  /// 64 hexadecimal digits in lower case.
  public var sha256: String?
  /// A checksum of the bytes themselves, in one of S3's algorithms.
  public var checksum: Checksum?

  public init(md5: [UInt8]? = nil, sha256: String? = nil, checksum: Checksum? = nil) {
    self.md5 = md5
    self.sha256 = sha256
    self.checksum = checksum
  }

  /// Compares the stated digests with the computed ones.
  ///
  /// - Throws: `.badDigest`, `.contentSHA256Mismatch`.
  func check(md5 foundMD5: [UInt8], sha256 foundSHA256: String?, checksum found: Checksum?)
    throws(ObjectError)
  {
    if let md5, md5 != foundMD5 {
      throw ObjectError(.badDigest, "the Content-MD5 you specified did not match what we received")
    }
    if let sha256, let foundSHA256, sha256 != foundSHA256 {
      throw ObjectError(
        .contentSHA256Mismatch, "x-amz-content-sha256 is \(sha256), but the body's SHA-256 is \(foundSHA256)")
    }
    if let checksum, checksum.bytes != found?.bytes {
      throw ObjectError(
        .badDigest,
        "the \(checksum.algorithm.rawValue) you specified did not match the calculated checksum: \(checksum.text) and "
          + (found?.text ?? "none"))
    }
  }

  /// Computes the digests of bytes in memory and compares them with the stated ones.
  ///
  /// - Throws: `.badDigest`, `.contentSHA256Mismatch`.
  package func check(_ bytes: [UInt8]) throws(ObjectError) {
    var state = checksum.map { ChecksumState($0.algorithm) }
    state?.update(bytes.span)
    try check(
      md5: Digest.of(bytes, .md5), sha256: sha256Text(bytes), checksum: state?.checksum)
  }
}

/// 32 hexadecimal digits from the system's cryptographically secure generator.
package func randomHexText() -> String {
  var generator = SystemRandomNumberGenerator()
  return hexText((0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) })
}
