import Files

/// A local object store, as jobs see it.
///
/// Operations block the calling task while they wait for the disk, which is acceptable because there are few
/// jobs.
public struct LocalObjects: ObjectSource {
  public let store: ObjectStore

  public init(_ store: ObjectStore) { self.store = store }

  public func list(_ prefix: S3Location, visit: ([ListedObject]) throws -> Bool) async throws {
    var query = ListingQuery(prefix: prefix.key)
    while true {
      let page = try store.list(prefix.bucket, query)
      let objects = page.objects.map {
        ListedObject(
          location: S3Location(bucket: prefix.bucket, key: $0.key), byteCount: $0.byteCount, etag: $0.etag)
      }
      if !objects.isEmpty, try !visit(objects) { return }
      guard page.isTruncated, let last = page.last else { return }
      query.after = last
    }
  }

  public func download(_ location: S3Location, to path: String) async throws {
    try Self.copy(try store.open(location.bucket, location.key), to: path)
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
    let file = try InputFile(path)
    let staged = try store.stage(location.bucket, location.key)
    var buffer = [UInt8](repeating: 0, count: min(max(1, file.byteCount), 1 << 20))
    var offset = 0
    while offset < file.byteCount {
      var span = buffer.mutableSpan
      var bytes = unsafe span.mutableBytes
      let got = try file.read(at: offset, into: &bytes)
      if got == 0 { break }
      try staged.append(buffer.span.extracting(0..<got))
      offset += got
    }
    guard file.isUnchanged() else { throw FileError(.changed, path: path) }
    try store.finish(staged, as: location.bucket, location.key)
  }

  public func put(_ bytes: [UInt8], to location: S3Location) async throws {
    try store.put(bytes, as: location.bucket, location.key)
  }
}
