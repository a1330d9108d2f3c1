import Files
import Glibc

/// A local object store and this machine's files, as jobs see them.
///
/// Operations block the calling task while they wait for the disk, which is acceptable because there are few
/// jobs.
public struct LocalObjects: ObjectSource {
  public let store: ObjectStore
  private let files = LocalFiles()

  public init(_ store: ObjectStore) { self.store = store }

  public func list(_ prefix: S3Location, visit: ([ListedObject]) throws -> Void) async throws {
    guard case .object(let bucket, let key) = prefix else {
      return try await files.list(prefix, visit: visit)
    }
    var query = ListingQuery(prefix: key)
    while true {
      let page = try store.list(bucket, query)
      if !page.objects.isEmpty {
        try visit(
          page.objects.map {
            ListedObject(
              location: .object(bucket: bucket, key: $0.key), byteCount: $0.byteCount, etag: $0.etag)
          })
      }
      guard page.isTruncated, let last = page.last else { return }
      query.after = last
    }
  }

  public func exists(_ location: S3Location) async throws -> Bool {
    guard case .object(let bucket, let key) = location else { return try await files.exists(location) }
    do throws(ObjectError) {
      _ = try store.open(bucket, key)
      return true
    } catch {
      guard error.code == .noSuchKey || error.code == .noSuchBucket else { throw error }
      return false
    }
  }

  public func download(_ location: S3Location, to path: String) async throws {
    guard case .object(let bucket, let key) = location else {
      return try await files.download(location, to: path)
    }
    try Self.copy(try store.open(bucket, key), to: path)
  }

  /// Copies in the kernel, sharing the data blocks until one of the files changes if the file system supports
  /// it (Btrfs, XFS). Not a hard link: writing to a link, or changing its mode, would change the stored
  /// object.
  @inline(never)
  private static func copy(_ reader: ObjectReader, to path: String) throws {
    let staged = try StagedObject(in: folderName(path), checksum: nil, withSHA256: false, durably: false)
    try staged.copy(reader, 0..<reader.info.byteCount)
    if let code = staged.place(Array(baseName(path).utf8), in: try StoreFolder(path: folderName(path))) {
      throw FileError(.system(call: "rename", code: code), path: path)
    }
  }

  public func upload(_ path: String, to location: S3Location) async throws {
    guard case .object(let bucket, let key) = location else {
      return try await files.upload(path, to: location)
    }
    let file = try InputFile(path)
    let staged = try store.stage(bucket, key)
    try LocalFiles.pieces(file.byteCount) { offset, buffer in
      try file.read(at: offset, into: &buffer)
    } take: {
      try staged.append($0)
    }
    guard file.isUnchanged() else { throw FileError(.changed, path: path) }
    try store.finish(staged, as: bucket, key)
  }

  public func put(_ bytes: [UInt8], to location: S3Location) async throws {
    guard case .object(let bucket, let key) = location else {
      return try await files.put(bytes, to: location)
    }
    try store.put(bytes, as: bucket, key)
  }
}

/// This machine's files, addressed as `file://` locations.
///
/// Blocking work is in separate functions that are never inlined, because the optimizer of swiftc 6.3.1
/// crashes on some async functions that catch and rethrow.
struct LocalFiles: ObjectSource {
  private func path(_ location: S3Location) throws(ObjectError) -> String {
    guard case .file(let path) = location else {
      throw ObjectError(.invalidArgument, "\(location) is not a file on this machine")
    }
    return path
  }

  func list(_ prefix: S3Location, visit: ([ListedObject]) throws -> Void) async throws {
    let path = try path(prefix)
    if isFolder(path) { return try listFiles(StoreFolder(path: path), visit) }
    guard let stamp = FileStamp(path: path) else {
      throw ObjectError(.noSuchKey, "there is no file or folder \(shown(path))")
    }
    try visit([ListedObject(location: .file(path: path), byteCount: stamp.byteCount, etag: "")])
  }

  private func listFiles(_ folder: borrowing StoreFolder, _ visit: ([ListedObject]) throws -> Void) throws {
    var found: [ListedObject] = []
    for entry in try folder.entries() {
      if entry.isFolder {
        if !found.isEmpty { try visit(found) }
        found = []
        if let child = try folder.folder(Array(entry.name.dropLast())) { try listFiles(child, visit) }
      } else if let status = folder.status(entry.name) {
        let location = S3Location.file(path: folder.child(entry.name))
        found.append(ListedObject(location: location, byteCount: Int(status.st_size), etag: ""))
      }
    }
    if !found.isEmpty { try visit(found) }
  }

  func exists(_ location: S3Location) async throws -> Bool {
    let path = try path(location)
    return !isFolder(path) && FileStamp(path: path) != nil
  }

  func download(_ location: S3Location, to target: String) async throws {
    try copy(path(location), to: target)
  }

  func upload(_ source: String, to location: S3Location) async throws {
    let target = try path(location)
    try makeFolder(folderName(target))
    try copy(source, to: target)
  }

  func put(_ bytes: [UInt8], to location: S3Location) async throws {
    try Self.write(bytes, to: path(location))
  }

  @inline(never)
  private static func write(_ bytes: [UInt8], to target: String) throws {
    try makeFolder(folderName(target))
    try write(target) { file in try file.append(bytes.span) }
  }

  @inline(never)
  private func copy(_ source: String, to target: String) throws {
    let file = try InputFile(source)
    try Self.write(target, byteCount: file.byteCount) { offset, buffer in
      try file.read(at: offset, into: &buffer)
    }
    guard file.isUnchanged() else { throw FileError(.changed, path: source) }
  }

  @inline(never)
  private static func write(_ path: String, _ body: (inout StagedFile) throws -> Void) throws {
    var file = try StagedFile(path)
    do {
      try body(&file)
    } catch {
      file.discard()
      throw error
    }
    try file.publish()
  }

  /// Writes a file in pieces of 1 MiB.
  static func write(_ path: String, byteCount: Int, _ read: (Int, inout MutableRawSpan) throws -> Int) throws
  {
    try write(path) { file in try pieces(byteCount, read) { bytes in try file.append(bytes) } }
  }

  static func pieces(
    _ byteCount: Int, _ read: (Int, inout MutableRawSpan) throws -> Int, take: (Span<UInt8>) throws -> Void
  ) throws {
    var buffer = [UInt8](repeating: 0, count: min(max(1, byteCount), 1 << 20))
    var offset = 0
    while offset < byteCount {
      var span = buffer.mutableSpan
      var bytes = unsafe span.mutableBytes
      let got = try read(offset, &bytes)
      if got == 0 { return }
      try take(buffer.span.extracting(0..<got))
      offset += got
    }
  }
}
