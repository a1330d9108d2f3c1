import Encodings
import Files
import Glibc

extension ObjectStore {
  /// Opens an object. The reader keeps returning this version's bytes even if the object is replaced or
  /// deleted meanwhile.
  ///
  /// For a file that was put there by hand, the first call reads it whole to compute its ETag.
  ///
  /// - Throws: `.noSuchBucket`, `.noSuchKey`.
  public func open(_ bucket: String, _ key: String) throws(ObjectError) -> ObjectReader {
    let found = try ObjectKey(existing: key)
    guard let folder = try parentFolder(bucket, found) else { throw ObjectError.noSuchKey(key) }
    if found.isFolder {
      guard let record = folderRecord(bucket, found, in: folder) else { throw ObjectError.noSuchKey(key) }
      return ObjectReader(record.info(), descriptor: nil)
    }
    guard let (file, status) = try folder.file(found.name) else { throw ObjectError.noSuchKey(key) }
    do throws(ObjectError) {
      let record = try record(bucket, key, file, FileIdentity(status))
      return ObjectReader(record.info(), descriptor: file)
    } catch {
      close(file)
      throw error
    }
  }

  /// An object's metadata, without its bytes; same errors and cost as `open`.
  public func info(_ bucket: String, _ key: String) throws(ObjectError) -> ObjectInfo {
    try open(bucket, key).info
  }

  /// The record of a folder that was put as an object; nil for a folder that exists only because it holds
  /// objects.
  func folderRecord(_ bucket: String, _ key: ObjectKey, in parent: borrowing StoreFolder) -> ObjectRecord? {
    guard let status = parent.status(key.name), status.st_mode & S_IFMT == S_IFDIR else { return nil }
    return records.record(bucket, key.text, of: FileIdentity(status), isFolder: true)
  }

  func record(_ bucket: String, _ key: String, _ file: Int32, _ identity: FileIdentity) throws(ObjectError)
    -> ObjectRecord
  {
    if let known = records.record(bucket, key, of: identity) { return known }
    let digest = try md5(file, key)
    let record = ObjectRecord(
      key: key, identity: identity, etag: hexText(digest), attributes: ObjectAttributes(), checksum: nil)
    var status = stat()
    if unsafe fstat(file, &status) == 0, FileIdentity(status) == identity, identity.isSettled {
      records.keep(bucket, record)
    }
    return record
  }

  func md5(_ file: Int32, _ path: String) throws(ObjectError) -> [UInt8] {
    var digest = Digest(.md5)
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    var offset = 0
    while true {
      let got = unsafe buffer.withUnsafeMutableBytes {
        unsafe pread(file, $0.baseAddress, $0.count, off_t(offset))
      }
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw ObjectError.last("read", path) }
      if got == 0 { return digest.bytes }
      digest.update(buffer.span.extracting(0..<got))
      offset += got
    }
  }
}

/// An open object, readable at any offset. The file is closed when the reader is released.
public final class ObjectReader: Sendable {
  public let info: ObjectInfo
  private let descriptor: Int32?

  init(_ info: ObjectInfo, descriptor: Int32?) {
    self.info = info
    self.descriptor = descriptor
  }

  deinit { if let descriptor { close(descriptor) } }

  /// Fills the buffer with the bytes from `offset` on.
  ///
  /// - Returns: the number of bytes read; less than requested only at the end of the object.
  public func read(at offset: Int, into buffer: inout MutableRawSpan) throws(ObjectError) -> Int {
    guard let descriptor else { return 0 }
    let wanted = buffer.byteCount
    var total = 0
    while total < wanted {
      let got = unsafe buffer.withUnsafeMutableBytes { bytes in
        unsafe pread(
          descriptor, bytes.baseAddress.map { unsafe $0 + total }, wanted - total,
          off_t(offset) + off_t(total))
      }
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw ObjectError.last("read", info.key) }
      if got == 0 { break }
      total += got
    }
    return total
  }

  /// Appends a range of the object to a staged object and its digests.
  package func append(_ range: Range<Int>, to staged: StagedObject) throws(ObjectError) {
    var offset = range.lowerBound
    while offset < range.upperBound {
      var buffer = [UInt8](repeating: 0, count: min(1 << 20, range.upperBound - offset))
      var span = buffer.mutableSpan
      var bytes = unsafe span.mutableBytes
      let got = try read(at: offset, into: &bytes)
      guard got > 0 else {
        throw ObjectError(
          .internalError, "\(shown(info.key)) was truncated while it was being copied")
      }
      try staged.append(buffer.span.extracting(0..<got))
      offset += got
    }
  }

  /// Copies a range to the end of a file that is open for writing.
  func copy(_ range: Range<Int>, to target: Int32) throws(ObjectError) {
    guard let descriptor, !range.isEmpty else { return }
    if let code = copyBytes(from: descriptor, at: range.lowerBound, count: range.count, to: target) {
      throw ObjectError(FileError(.system(call: "copy", code: code), path: info.key))
    }
  }
}
