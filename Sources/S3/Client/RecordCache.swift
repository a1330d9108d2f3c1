import Files
import Glibc
import Synchronization

/// The side files of all objects, and what was read of them lately.
///
/// `ROOT/.imrec/objects/BUCKET/ab/abcdef...`, named by the digest of the key, so that no name is too long. A record
/// holds for one file: its inode, size and time of last change are in it. An object that someone replaces by hand thus
/// loses its record by itself.
final class RecordCache: Sendable {
  private struct Name: Hashable {
    let bucket: ByteName
    let key: [UInt8]
  }
  private let records = Mutex<[Name: ObjectRecord]>([:])
  private let root: String
  private let durably: Bool
  /// Some 30 MB; all are forgotten when there are more.
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

  /// The record of this very file; nil where there is none.
  ///
  /// - Parameter isFolder: a folder's time and size change with what is in it and are not compared.
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

  /// Writes the record down beside the one of the object's former file: whichever of the two files stands under the
  /// object's name after a crash, its record is there.
  func prepare(_ bucket: String, _ record: ObjectRecord) throws(ObjectError) {
    let path = path(bucket, record.key)
    do throws(FileError) {
      try makeFolder(folderName(path))
      // What a crash left as the next one may be that of the file that stands now.
      if read(path + ".next") != nil, read(path) == nil { _ = unsafe rename(path + ".next", path) }
      var file = try StagedFile(path + ".next")
      do throws(FileError) {
        try file.append(record.text)
      } catch {
        file.discard()
        throw error
      }
      try file.publish(durably: durably)
    } catch {
      throw ObjectError(error)
    }
  }

  /// Makes what was prepared the object's record.
  func commit(_ bucket: String, _ record: ObjectRecord) {
    let path = path(bucket, record.key)
    // Where this fails, the record is still found under its other name.
    _ = unsafe rename(path + ".next", path)
    remember(record, Name(bucket: ByteName(bucket), key: Array(record.key.utf8)))
  }

  /// Keeps what was computed of a file that came by hand; it can be computed again.
  func keep(_ bucket: String, _ record: ObjectRecord) {
    remember(record, Name(bucket: ByteName(bucket), key: Array(record.key.utf8)))
    let path = path(bucket, record.key)
    do throws(FileError) {
      try makeFolder(folderName(path))
      var file = try StagedFile(path)
      do throws(FileError) {
        try file.append(record.text)
      } catch {
        file.discard()
        return
      }
      try file.publish(durably: false)
    } catch {
      // The next one who asks computes it again.
    }
  }

  func forget(_ bucket: String, _ key: String) {
    _ = records.withLock { $0.removeValue(forKey: Name(bucket: ByteName(bucket), key: Array(key.utf8))) }
    let path = path(bucket, key)
    unsafe unlink(path)
    unsafe unlink(path + ".next")
  }
}
