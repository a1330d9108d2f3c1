public import Encodings
import Files
import Glibc
import Synchronization

/// S3's buckets and objects as folders and files: the object `a/b.jpg` of the bucket `photos` is `ROOT/photos/a/b.jpg`.
///
/// Files may be put there by hand, too, and taken from there: an object is a regular file, and nothing else is one; links
/// are not followed, neither to files nor to folders nor as buckets. What a file does not say of itself (its type, its
/// metadata, an ETag of parts) is in `ROOT/.imrec`, and so are uploads that are not finished. S3's keys that are no paths
/// are refused (see `ObjectKey`), and so is a key below another object's key: `a/b` beside `a`.
///
/// An object is written beside, synced and renamed: after a crash it is the former one or the new one, with what belongs
/// to it. Operations block on the disk; a server calls them on threads of its own. All of them are safe to call side by
/// side.
public final class ObjectStore: Sendable {
  public let root: String
  let records: RecordCache
  let folders = FolderCache()
  let durably: Bool
  private let locks = (0..<64).map { _ in Lock() }

  final class Lock: Sendable { let mutex = Mutex(()) }

  /// - Parameters:
  ///   - root: made where it is not there.
  ///   - durably: waits for the disk whenever an object gets its name. Without it a loss of power may lose objects that
  ///     were put a moment ago.
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

  /// Files that a killed process was writing: nobody holds them locked.
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

  /// Runs `body` while nobody else changes this object.
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

  public struct Bucket: Hashable, Sendable {
    public let name: String
    public let created: UTCTime
  }

  /// In the order of their names.
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

  /// - Throws: `.invalidBucketName`; `.bucketAlreadyOwnedByYou`.
  public func makeBucket(_ name: String) throws(ObjectError) {
    try BucketName.check(name)
    let folder = try StoreFolder(path: root)
    if let status = folder.status(Array(name.utf8)) {
      guard status.st_mode & S_IFMT == S_IFDIR else {
        throw ObjectError(.invalidBucketName, "a file that is no folder has the name '\(shown(name))'")
      }
      throw ObjectError(
        .bucketAlreadyOwnedByYou, "the bucket '\(shown(name))' is there already, and is yours")
    }
    try folder.makeFolder(Array(name.utf8))
    if durably { try folder.sync() }
  }

  /// - Throws: `.noSuchBucket`.
  public func checkBucket(_ name: String) throws(ObjectError) { _ = try bucketFolder(name) }

  /// - Throws: `.bucketNotEmpty`.
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
        "the folder of the bucket '\(shown(name))' holds something that is no object, such as a link")
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

  /// Removes a folder of our own with all that is in it.
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

  /// The folder that holds the object, opened one name after the other.
  ///
  /// - Returns: nil where it is not there.
  func parentFolder(_ bucket: String, _ key: ObjectKey) throws(ObjectError) -> StoreFolder? {
    var folder = try bucketFolder(bucket)
    for name in key.folders {
      guard let next = try folder.folder(name) else { return nil }
      folder = next
    }
    return folder
  }
}
