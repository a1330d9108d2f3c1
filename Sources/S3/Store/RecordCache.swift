import Files
import Glibc
import Synchronization

/// Reads, writes and caches the metadata records of objects.
///
/// Records are in `ROOT/.imrec/objects/BUCKET/ab/abcdef...`, named by the SHA-256 digest of the key, so that
/// no file name is too long. A record contains its object file's inode, size and modification time and is
/// valid only for that file, so replacing an object by hand invalidates its record.
final class RecordCache: Sendable {
  private struct Name: Hashable {
    let bucket: ByteName
    let key: [UInt8]
  }
  private let records = Mutex<[Name: ObjectRecord]>([:])
  private let root: String
  private let durably: Bool
  /// About 30 MB; the cache is emptied when it is full.
  private static let mostRecords = 50_000
  private static let largestRecord = 64 << 10

  init(root: String, durably: Bool) {
    self.root = root
    self.durably = durably
  }

  private func path(_ bucket: String, _ key: String) -> String {
    let digest = sha256Text(Array(key.utf8))
    return "\(root)/\(bucket)/\(digest.prefix(2))/\(digest)"
  }

  /// The record of exactly this version of the file; nil if there is none.
  ///
  /// - Parameter isFolder: compare only the inode, because a folder's time and size change with its contents.
  func record(_ bucket: String, _ key: String, of identity: FileIdentity, isFolder: Bool = false)
    -> ObjectRecord?
  {
    func holds(_ record: ObjectRecord) -> Bool {
      (isFolder ? record.identity.inode == identity.inode : record.identity == identity)
        && record.key.utf8.elementsEqual(key.utf8)
    }
    let name = Name(bucket: ByteName(bucket), key: Array(key.utf8))
    if let known = records.withLock({ $0[name] }), holds(known) { return known }
    let path = path(bucket, key)
    for path in [path, path + ".next"] {
      if let found = read(path), holds(found) {
        remember(found, name)
        return found
      }
    }
    return nil
  }

  private func read(_ path: String) -> ObjectRecord? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1024)
    var count = 0
    while true {
      let got = unsafe bytes.withUnsafeMutableBytes { buffer in
        unsafe Glibc.read(descriptor, buffer.baseAddress.map { unsafe $0 + count }, buffer.count - count)
      }
      guard got >= 0 else { return nil }
      count += got
      if got == 0 || count < bytes.count { break }
      guard bytes.count < Self.largestRecord else { return nil }
      bytes += [UInt8](repeating: 0, count: bytes.count)
    }
    return ObjectRecord(Array(bytes[..<count]))
  }

  private func remember(_ record: ObjectRecord, _ name: Name) {
    records.withLock { records in
      if records.count >= Self.mostRecords { records.removeAll() }
      records[name] = record
    }
  }

  /// Writes the new record beside the current one, so that whichever of the two object files has the object's
  /// name after a crash has its record, too.
  func prepare(_ bucket: String, _ record: ObjectRecord) throws(ObjectError) {
    let path = path(bucket, record.key)
    do throws(FileError) {
      try makeFolder(folderName(path))
      // After a crash, the prepared record may be that of the current object file, so it must not be
      // overwritten.
      if read(path + ".next") != nil, read(path) == nil { _ = unsafe rename(path + ".next", path) }
      try writeFile(path + ".next", record.text, durably: durably)
    } catch {
      throw ObjectError(error)
    }
  }

  /// Makes the prepared record the object's current one.
  func commit(_ bucket: String, _ record: ObjectRecord) {
    let path = path(bucket, record.key)
    // If the rename fails, `record` still finds the record under its prepared name.
    _ = unsafe rename(path + ".next", path)
    remember(record, Name(bucket: ByteName(bucket), key: Array(record.key.utf8)))
  }

  /// Records what was computed from a file that was put there by hand. Failures are ignored, because it can
  /// be computed again.
  func keep(_ bucket: String, _ record: ObjectRecord) {
    remember(record, Name(bucket: ByteName(bucket), key: Array(record.key.utf8)))
    let path = path(bucket, record.key)
    do throws(FileError) {
      try makeFolder(folderName(path))
      try writeFile(path, record.text, durably: false)
    } catch {
      // It will be computed again when needed.
    }
  }

  func forget(_ bucket: String, _ key: String) {
    _ = records.withLock { $0.removeValue(forKey: Name(bucket: ByteName(bucket), key: Array(key.utf8))) }
    let path = path(bucket, key)
    unsafe unlink(path)
    unsafe unlink(path + ".next")
  }
}
