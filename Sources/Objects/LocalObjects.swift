import Files
import Glibc

/// A store's objects and this machine's files, as jobs see them.
///
/// Its operations work on the disk while their caller waits; jobs are few.
public struct LocalObjects: ObjectSource {
  public let store: ObjectStore

  public init(_ store: ObjectStore) { self.store = store }

  public func list(_ prefix: S3Location, visit: ([ListedObject]) throws -> Void) async throws {
    switch prefix {
    case .file(let path): try listFiles(path, visit)
    case .object(let bucket, let key):
      var query = ListingQuery(prefix: key)
      while true {
        let page = try store.list(bucket, query)
        if !page.objects.isEmpty {
          try visit(
            page.objects.map {
              ListedObject(location: .object(bucket: bucket, key: $0.key), byteCount: $0.byteCount, etag: $0.etag)
            })
        }
        guard page.isTruncated, let last = page.last else { return }
        query.after = last
      }
    }
  }

  private func listFiles(_ path: String, _ visit: ([ListedObject]) throws -> Void) throws {
    guard isFolder(path) else {
      guard let stamp = FileStamp(path: path) else {
        throw ObjectError(.noSuchKey, "there is no file or folder \(shown(path))")
      }
      try visit([ListedObject(location: .file(path: path), byteCount: stamp.byteCount, etag: "")])
      return
    }
    var found: [ListedObject] = []
    let folder = try FolderHandle(path: path)
    for entry in try folder.entries() {
      let child = folder.child(Array(entry.isFolder ? entry.name.dropLast() : entry.name[...]))
      if entry.isFolder {
        try listFiles(child, visit)
      } else if let status = folder.status(entry.name) {
        found.append(ListedObject(location: .file(path: child), byteCount: Int(status.st_size), etag: ""))
      }
    }
    if !found.isEmpty { try visit(found) }
  }

  public func exists(_ location: S3Location) async throws -> Bool {
    switch location {
    case .file(let path): return !isFolder(path) && FileStamp(path: path) != nil
    case .object(let bucket, let key):
      do throws(ObjectError) {
        _ = try store.open(bucket, key)
        return true
      } catch {
        guard error.code == .noSuchKey || error.code == .noSuchBucket else { throw error }
        return false
      }
    }
  }

  public func download(_ location: S3Location, to path: String) async throws {
    switch location {
    case .file(let source): try await copyFile(source, to: path)
    case .object(let bucket, let key):
      let reader = try store.open(bucket, key)
      try write(path, byteCount: reader.info.byteCount) { offset, buffer in
        try reader.read(at: offset, into: &buffer)
      }
    }
  }

  public func upload(_ path: String, to location: S3Location) async throws {
    switch location {
    case .file(let target):
      try makeFolder(folderName(target))
      try await copyFile(path, to: target)
    case .object(let bucket, let key):
      let file = try InputFile(path)
      let staged = try store.stage(bucket, key)
      var buffer = [UInt8](repeating: 0, count: 1 << 20)
      var offset = 0
      while true {
        var span = buffer.mutableSpan
        var bytes = unsafe span.mutableBytes
        let got = try file.read(at: offset, into: &bytes)
        if got == 0 { break }
        try staged.append(buffer.span.extracting(0..<got))
        offset += got
      }
      guard file.isUnchanged() else { throw FileError(.changed, path: path) }
      try store.finish(staged, as: bucket, key)
    }
  }

  public func put(_ bytes: [UInt8], to location: S3Location) async throws {
    switch location {
    case .file(let path):
      try makeFolder(folderName(path))
      var file = try StagedFile(path)
      do {
        try file.append(bytes.span)
      } catch {
        file.discard()
        throw error
      }
      try file.publish()
    case .object(let bucket, let key): try store.put(bytes, as: bucket, key)
    }
  }

  private func copyFile(_ source: String, to path: String) async throws {
    let file = try InputFile(source)
    try write(path, byteCount: file.byteCount) { offset, buffer in try file.read(at: offset, into: &buffer) }
    guard file.isUnchanged() else { throw FileError(.changed, path: source) }
  }

  private func write(_ path: String, byteCount: Int, _ read: (Int, inout MutableRawSpan) throws -> Int) throws {
    var file = try StagedFile(path)
    do {
      var buffer = [UInt8](repeating: 0, count: min(max(1, byteCount), 1 << 20))
      var offset = 0
      while offset < byteCount {
        var span = buffer.mutableSpan
        var bytes = unsafe span.mutableBytes
        let got = try read(offset, &bytes)
        if got == 0 { break }
        try file.append(buffer.span.extracting(0..<got))
        offset += got
      }
    } catch {
      file.discard()
      throw error
    }
    try file.publish()
  }
}
