import Encodings
import Files
import Glibc

/// Preconditions for replacing or deleting an object.
public struct WriteConditions: Hashable, Sendable {
  /// Fail if the object exists: `If-None-Match: *`.
  public var mustBeNew = false
  /// Fail unless the object exists with this ETag, or with any if `*`: `If-Match`.
  public var etag: String?
  public init() {}
}

extension ObjectStore {
  /// The largest object that can be put in one piece, in bytes, as in S3: 5 GiB. Multipart uploads can be
  /// larger.
  public static let largestPut = 5 << 30

  /// Begins to put an object, which stays invisible until `finish`.
  ///
  /// - Throws: `.noSuchBucket` and errors of the key, before any byte is received.
  public func stage(
    _ bucket: String, _ key: String, checksum: ChecksumAlgorithm? = nil, withSHA256: Bool = false
  ) throws(ObjectError) -> StagedObject {
    _ = try ObjectKey(key)
    try checkBucket(bucket)
    return try StagedObject(in: stagingFolder, checksum: checksum, withSHA256: withSHA256, durably: durably)
  }

  /// Publishes a staged object under its key, replacing an earlier one.
  ///
  /// - Throws: `.badDigest` and the like; `.preconditionFailed`; `.invalidRequest` if the key conflicts with
  ///   an existing one. The earlier object is then unchanged.
  @discardableResult
  public func finish(
    _ staged: StagedObject, as bucket: String, _ key: String,
    attributes: ObjectAttributes = ObjectAttributes(),
    expected: ExpectedDigests = ExpectedDigests(), conditions: WriteConditions = WriteConditions()
  ) throws(ObjectError) -> ObjectInfo {
    try staged.check(expected)
    return try publish(
      staged, bucket, ObjectKey(key), etag: hexText(staged.md5), attributes: attributes,
      checksum: staged.checksum,
      conditions)
  }

  /// Puts a small object from memory.
  @discardableResult
  public func put(
    _ bytes: [UInt8], as bucket: String, _ key: String, attributes: ObjectAttributes = ObjectAttributes()
  ) throws(ObjectError) -> ObjectInfo {
    let staged = try stage(bucket, key)
    try staged.append(bytes.span)
    return try finish(staged, as: bucket, key, attributes: attributes)
  }

  /// Copies an object. The bytes are copied in the kernel if the file system supports it.
  ///
  /// - Parameter attributes: the attributes of the copy; nil: those of the source.
  public func copy(
    _ source: ObjectReader, to bucket: String, _ key: String, attributes: ObjectAttributes? = nil,
    conditions: WriteConditions = WriteConditions()
  ) throws(ObjectError) -> ObjectInfo {
    let info = source.info
    let target = try ObjectKey(key)
    let staged = try stage(bucket, key)
    try staged.copy(source, 0..<info.byteCount)
    // A copy is put in one piece, so its ETag must be the digest of its bytes even if the source's is not.
    let etag =
      info.etag.utf8.contains(UInt8(ascii: "-")) ? hexText(try md5(staged.descriptor, key)) : info.etag
    let checksum = info.checksum.flatMap { $0.partCount == nil ? $0 : nil }
    return try publish(
      staged, bucket, target, etag: etag, attributes: attributes ?? info.attributes, checksum: checksum,
      conditions)
  }

  func publish(
    _ staged: StagedObject, _ bucket: String, _ key: ObjectKey, etag: String, attributes: ObjectAttributes,
    checksum: Checksum?, parts: [PartRun] = [], _ conditions: WriteConditions
  ) throws(ObjectError) -> ObjectInfo {
    if key.isFolder { return try publishFolder(staged, bucket, key, etag, attributes, checksum, conditions) }
    if durably { try staged.sync() }
    let record = ObjectRecord(
      key: key.text, identity: try staged.identity(), etag: etag, attributes: attributes, checksum: checksum,
      parts: parts)
    try exclusively(bucket, key) { () throws(ObjectError) in
      try check(conditions, bucket, key)
      try records.prepare(bucket, record)
      try place(staged, bucket, key)
      records.commit(bucket, record)
    }
    return record.info()
  }

  private func publishFolder(
    _ staged: StagedObject, _ bucket: String, _ key: ObjectKey, _ etag: String,
    _ attributes: ObjectAttributes,
    _ checksum: Checksum?, _ conditions: WriteConditions
  ) throws(ObjectError) -> ObjectInfo {
    guard staged.byteCount == 0 else {
      throw ObjectError(
        .invalidRequest,
        "the key '\(shown(key.text))' ends in a slash, which makes it a folder here; a folder cannot have contents"
      )
    }
    var made: ObjectInfo?
    try exclusively(bucket, key) { () throws(ObjectError) in
      try check(conditions, bucket, key)
      let parent = try makeFolders(bucket, key)
      try parent.makeFolder(key.name)
      guard let status = parent.status(key.name), status.st_mode & S_IFMT == S_IFDIR else {
        throw conflict(key)
      }
      let found = FileIdentity(status)
      let identity = FileIdentity(
        inode: found.inode, byteCount: 0, modifiedNanoseconds: found.modifiedNanoseconds)
      let record = ObjectRecord(
        key: key.text, identity: identity, etag: etag, attributes: attributes, checksum: checksum)
      try records.prepare(bucket, record)
      records.commit(bucket, record)
      made = record.info()
    }
    guard let made else { throw conflict(key) }
    return made
  }

  private func check(_ conditions: WriteConditions, _ bucket: String, _ key: ObjectKey) throws(ObjectError) {
    guard conditions.mustBeNew || conditions.etag != nil else { return }
    var present: ObjectInfo?
    do throws(ObjectError) {
      present = try info(bucket, key.text)
    } catch  where error.code == .noSuchKey {
    }
    if conditions.mustBeNew, present != nil {
      throw ObjectError(.preconditionFailed, "If-None-Match is *, but the object already exists")
    }
    if let etag = conditions.etag {
      guard let present else { throw ObjectError.noSuchKey(key.text) }
      guard etag == present.etag || etag == "*" else {
        throw ObjectError(
          .preconditionFailed, "If-Match is \(shown(etag)), but the object's ETag is \(present.etag)")
      }
    }
  }

  /// Renames the staged file to the path of its key.
  private func place(_ staged: StagedObject, _ bucket: String, _ key: ObjectKey) throws(ObjectError) {
    // Retry: whoever deletes the last object of a folder removes the folder, possibly right now.
    for _ in 0..<16 {
      let folder = try makeFolders(bucket, key)
      switch staged.place(key.name, in: folder) {
      case nil:
        if durably { try folder.sync() }
        return
      case ENOENT: continue
      case EISDIR, EEXIST, ENOTEMPTY:
        // An empty folder may give way, unless it was put as an object; a folder with contents must stay.
        if let marked = try? ObjectKey(key.text + "/"), folderRecord(bucket, marked, in: folder) != nil {
          throw conflict(key)
        }
        guard folder.removeEmptyFolder(key.name) else { throw conflict(key) }
        records.forget(bucket, key.text + "/")
      case let code?: throw ObjectError(FileError(.system(call: "rename", code: code), path: key.text))
      }
    }
    throw ObjectError(
      .slowDown, "the folder of '\(shown(key.text))' keeps being deleted by other requests; try again")
  }

  private func makeFolders(_ bucket: String, _ key: ObjectKey) throws(ObjectError) -> StoreFolder {
    var folder = try bucketFolder(bucket)
    for name in key.folders {
      var next = try folder.folder(name)
      for _ in 0..<16 where next == nil {
        do throws(ObjectError) {
          try folder.makeFolder(name)
        } catch {
          // The folder was removed meanwhile, so begin again at the bucket.
          if folder.ownStatus().map({ $0.st_nlink == 0 }) == true { return try makeFolders(bucket, key) }
          throw error
        }
        if durably { try folder.sync() }
        next = try folder.folder(name)
        if next == nil, folder.status(name) != nil { throw conflict(key) }
      }
      guard let found = next else { throw conflict(key) }
      folder = found
    }
    return folder
  }

  private func conflict(_ key: ObjectKey) -> ObjectError {
    ObjectError(
      .invalidRequest,
      "the key '\(shown(key.text))' conflicts with an existing key: keys are file paths here, so the keys 'a' and "
        + "'a/b' cannot both exist")
  }

  /// Deletes an object. Deleting an object that does not exist succeeds.
  ///
  /// - Throws: if there are conditions: `.preconditionFailed`, and `.noSuchKey` if the object does not exist.
  public func delete(
    _ bucket: String, _ key: String, conditions: WriteConditions = WriteConditions()
  ) throws(ObjectError) {
    try checkBucket(bucket)
    let found: ObjectKey
    do throws(ObjectError) {
      found = try ObjectKey(existing: key)
    } catch  where error.code == .noSuchKey && conditions.etag == nil {
      return
    }
    try exclusively(bucket, found) { () throws(ObjectError) in
      try check(conditions, bucket, found)
      guard let folder = try parentFolder(bucket, found) else { return }
      if found.isFolder {
        if folderRecord(bucket, found, in: folder) != nil {
          records.forget(bucket, key)
          folder.removeEmptyFolder(found.name)
        }
      } else {
        // Links, and whatever else is not an object, stay where they are.
        guard let status = folder.status(found.name), status.st_mode & S_IFMT == S_IFREG,
          try folder.unlink(found.name)
        else { return }
        records.forget(bucket, key)
      }
      if durably { try folder.sync() }
    }
    removeEmptyFolders(above: found, in: bucket)
  }

  /// Removes the folders that existed only for deleted objects.
  private func removeEmptyFolders(above key: ObjectKey, in bucket: String) {
    for depth in stride(from: key.folders.count, to: 0, by: -1) {
      let path = key.folders[..<depth]
      let text = path.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/") + "/"
      guard let folder = try? ObjectKey(text), let parent = try? parentFolder(bucket, folder),
        folderRecord(bucket, folder, in: parent) == nil, parent.removeEmptyFolder(folder.name)
      else { return }
    }
  }
}
