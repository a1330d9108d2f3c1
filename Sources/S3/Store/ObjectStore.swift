public import Encodings
import Files
import Glibc
import Synchronization

/// Stores S3 buckets and objects as folders and files: the object `a/b.jpg` in the bucket `photos` is the
/// file `ROOT/photos/a/b.jpg`.
///
/// People may add and take files by hand. Only regular files are objects; symbolic links are never followed,
/// whether they lead to files, folders or buckets. What a file cannot say about itself (content type,
/// metadata, the ETag of a multipart upload) is kept in `ROOT/.imrec`, as are unfinished uploads. S3 keys
/// that are not usable as paths are refused (see `ObjectKey`), and so is a key below another object's key:
/// `a/b` beside `a`.
///
/// An object is written to a staging file, synced, and renamed into place. After a crash, an object is either
/// the old one or the new one, with the matching metadata. Operations block on the disk, so a server calls
/// them on dedicated threads. All of them may be called concurrently.
public final class ObjectStore: Sendable {
  /// The path of the store's folder.
  public let root: String
  let records: RecordCache
  let folders = FolderCache()
  let durably: Bool
  private let locks = (0..<64).map { _ in Lock() }

  final class Lock: Sendable { let mutex = Mutex(()) }

  /// - Parameters:
  ///   - root: the folder of the store; created if missing.
  ///   - durably: whether to sync to disk before an object becomes visible. Without it, a power failure may
  ///     lose recently put objects.
  /// - Throws: `ObjectError` if the folders cannot be created.
  public init(root: String, durably: Bool = true) throws(ObjectError) {
    self.root = root
    self.durably = durably
    records = RecordCache(root: root + "/.imrec/objects", durably: durably)
    do throws(FileError) {
      for name in ["objects", "staging", "uploads"] { try makeFolder("\(root)/.imrec/\(name)") }
    } catch {
      throw ObjectError(error)
    }
    removeLeftovers()
  }

  var stagingFolder: String { root + "/.imrec/staging" }

  /// Removes the staging files of killed processes, recognizable by not being locked.
  private func removeLeftovers() {
    guard let folder = try? StoreFolder(path: stagingFolder), let entries = try? folder.entries() else {
      return
    }
    for entry in entries {
      if entry.isFolder {
        // An upload that was being removed.
        removeTree(stagingFolder, Array(entry.name.dropLast()))
        continue
      }
      guard let (file, _) = try? folder.file(entry.name) else { continue }
      if flock(file, LOCK_EX | LOCK_NB) == 0 { _ = try? folder.unlink(entry.name) }
      close(file)
    }
    removeUnbegunUploads()
  }

  /// Runs `body` while no other thread of this process changes the object.
  func exclusively(_ bucket: String, _ key: ObjectKey, _ body: () throws(ObjectError) -> Void)
    throws(ObjectError)
  {
    var hasher = Hasher()
    hasher.combine(bucket)
    hasher.combine(key)
    let lock = locks[Int(UInt(bitPattern: hasher.finalize()) % UInt(locks.count))]
    try lock.mutex.withLock { _ throws(ObjectError) in try body() }
  }

  // MARK: Buckets

  /// A bucket and the last change of its folder, which S3 clients see as its creation date.
  public struct Bucket: Hashable, Sendable {
    public let name: String
    public let created: UTCTime
  }

  /// All buckets, sorted by name.
  public func buckets() throws(ObjectError) -> [Bucket] {
    let folder = try StoreFolder(path: root)
    var buckets: [Bucket] = []
    for entry in try folder.entries() where entry.isFolder {
      let name = Array(entry.name.dropLast())
      guard BucketName.isPossible(name), let text = String(validating: name, as: UTF8.self),
        let status = folder.status(name)
      else { continue }
      buckets.append(Bucket(name: text, created: FileIdentity(status).modified))
    }
    return buckets
  }

  /// Creates a bucket.
  ///
  /// - Throws: `.invalidBucketName`; `.bucketAlreadyOwnedByYou` if it exists.
  public func makeBucket(_ name: String) throws(ObjectError) {
    try BucketName.check(name)
    let folder = try StoreFolder(path: root)
    if let status = folder.status(Array(name.utf8)) {
      guard status.st_mode & S_IFMT == S_IFDIR else {
        throw ObjectError(
          .invalidBucketName,
          "'\(shown(name))' is already the name of a file, which is not a folder")
      }
      throw ObjectError(
        .bucketAlreadyOwnedByYou, "the bucket '\(shown(name))' already exists and is owned by you")
    }
    try folder.makeFolder(Array(name.utf8))
    if durably { try folder.sync() }
  }

  /// Checks that a bucket exists.
  ///
  /// - Throws: `.noSuchBucket`.
  public func checkBucket(_ name: String) throws(ObjectError) { _ = try bucketFolder(name) }

  /// Deletes a bucket that holds no objects, along with its empty folders and unfinished uploads.
  ///
  /// - Throws: `.noSuchBucket`, `.bucketNotEmpty`.
  public func deleteBucket(_ name: String) throws(ObjectError) {
    do {
      let folder = try bucketFolder(name)
      let query = ListingQuery(maximumCount: 1)
      guard try list(name, query).objects.isEmpty else {
        throw ObjectError(.bucketNotEmpty, "the bucket '\(shown(name))' still holds objects")
      }
      try removeEmptyFolders(in: folder)
    }
    let parent = try StoreFolder(path: root)
    guard parent.removeEmptyFolder(Array(name.utf8)) else {
      throw ObjectError(
        .bucketNotEmpty,
        "the folder of the bucket '\(shown(name))' holds something that is not an object, such as a link")
    }
    for kind in ["objects", "uploads"] { removeTree("\(root)/.imrec/\(kind)", Array(name.utf8)) }
  }

  private func removeEmptyFolders(in folder: borrowing StoreFolder) throws(ObjectError) {
    for entry in try folder.entries() where entry.isFolder {
      let name = Array(entry.name.dropLast())
      if let child = try folder.folder(name) { try removeEmptyFolders(in: child) }
      folder.removeEmptyFolder(name)
    }
  }

  /// Removes one of the store's own folders with everything in it.
  func removeTree(_ parent: String, _ name: [UInt8]) {
    guard let folder = try? StoreFolder(path: parent) else { return }
    if let child = try? folder.folder(name) {
      for entry in (try? child.entries()) ?? [] {
        if entry.isFolder {
          removeTree(child.path, Array(entry.name.dropLast()))
        } else {
          _ = try? child.unlink(entry.name)
        }
      }
    }
    folder.removeEmptyFolder(name)
  }

  /// - Throws: `.noSuchBucket`.
  func bucketFolder(_ name: String) throws(ObjectError) -> StoreFolder {
    let bytes = Array(name.utf8)
    guard BucketName.isPossible(bytes) else { throw ObjectError.noSuchBucket(name) }
    let folder = try StoreFolder(path: root)
    guard let bucket = try folder.folder(bytes) else { throw ObjectError.noSuchBucket(name) }
    return bucket
  }

  /// The folder that holds the object, opened one path segment at a time.
  ///
  /// - Returns: nil if it does not exist.
  func parentFolder(_ bucket: String, _ key: ObjectKey) throws(ObjectError) -> StoreFolder? {
    var folder = try bucketFolder(bucket)
    for name in key.folders {
      guard let next = try folder.folder(name) else { return nil }
      folder = next
    }
    return folder
  }
}

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
