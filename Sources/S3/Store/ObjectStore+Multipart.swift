public import Encodings
import Files
import Glibc

/// A multipart upload that is neither completed nor aborted.
public struct PartedUpload: Hashable, Sendable {
  public let id: String
  public let key: String
  /// When the upload was begun, in whole seconds.
  public let started: UTCTime
  public let checksum: ChecksumAlgorithm?
  /// Whether the object's checksum will be computed from the parts' checksums instead of from all bytes.
  public let isComposite: Bool
  /// The attributes of the future object.
  public let attributes: ObjectAttributes
}

/// An uploaded part of a multipart upload.
public struct ObjectPart: Hashable, Sendable {
  /// 1...10,000
  public let number: Int
  public let byteCount: Int
  public let modified: UTCTime
  /// The part's MD5 digest in hexadecimal, without quotes.
  public let etag: String
  public let checksum: Checksum?
}

/// A part as the client lists it when it completes an upload.
public struct PartClaim: Hashable, Sendable {
  public let number: Int
  /// In hexadecimal, without quotes.
  public let etag: String
  /// The checksums that the client states, in base64.
  public let checksums: [ChecksumAlgorithm: String]

  public init(number: Int, etag: String, checksums: [ChecksumAlgorithm: String] = [:]) {
    self.number = number
    self.etag = etag
    self.checksums = checksums
  }
}

/// Multipart uploads. `ROOT/.imrec/uploads/BUCKET/ID` holds a file `about` with the upload's attributes, and
/// one file per part, whose name contains the part's number and digests. Uploads survive restarts of the
/// process.
extension ObjectStore {
  /// The maximum number of parts of an upload.
  public static let mostParts = 10_000
  /// The minimum size, in bytes, of every part but the last.
  public static let smallestPart = 5 << 20

  private static let aboutName = Array("about".utf8)

  private func uploadsFolder(_ bucket: String) -> String { "\(root)/.imrec/uploads/\(bucket)" }

  /// Begins a multipart upload.
  ///
  /// - Parameter isComposite: nil chooses S3's default: composite unless the algorithm is CRC64NVME.
  /// - Throws: `.noSuchBucket`; `.invalidRequest` if the key is a folder's, or the checksum type is
  ///   impossible for the algorithm; errors of the key.
  public func beginUpload(
    _ bucket: String, _ key: String, attributes: ObjectAttributes = ObjectAttributes(),
    checksum: ChecksumAlgorithm? = nil, isComposite: Bool? = nil
  ) throws(ObjectError) -> PartedUpload {
    let found = try ObjectKey(key)
    guard !found.isFolder else {
      throw ObjectError(
        .invalidRequest,
        "the key '\(shown(key))' ends in a slash, which makes it a folder here; a folder cannot have contents"
      )
    }
    try checkBucket(bucket)
    let composite = isComposite ?? (checksum != .crc64nvme)
    if let checksum, composite == (checksum == .crc64nvme) || (!composite && checksum.polynomial == nil) {
      throw ObjectError(
        .invalidRequest,
        "the checksum type \(composite ? "COMPOSITE" : "FULL_OBJECT") is not available for \(checksum.rawValue)"
      )
    }
    let upload = PartedUpload(
      id: randomHexText(), key: key, started: .now, checksum: checksum, isComposite: composite,
      attributes: attributes)
    // Reuses the format of object records, although this record belongs to no file.
    let marker = checksum.map {
      Checksum($0, [UInt8](repeating: 0, count: $0.byteCount), partCount: composite ? 0 : nil)
    }
    let record = ObjectRecord(
      key: key,
      identity: FileIdentity(
        inode: 0, byteCount: 0, modifiedNanoseconds: upload.started.secondsSince1970 * 1_000_000_000),
      etag: "upload", attributes: attributes, checksum: marker)
    do throws(FileError) {
      let folder = "\(uploadsFolder(bucket))/\(upload.id)"
      try makeFolder(folder)
      try writeFile(folder + "/about", record.text, durably: durably)
    } catch {
      throw ObjectError(error)
    }
    return upload
  }

  private func folder(_ bucket: String, _ id: String) throws(ObjectError) -> StoreFolder {
    try checkBucket(bucket)
    // Ids are 32 hexadecimal digits, so an id that passes this check cannot name another folder.
    guard id.utf8.count == 32, hexBytes(id) != nil, isFolder(uploadsFolder(bucket)),
      let found = try StoreFolder(path: uploadsFolder(bucket)).folder(Array(id.utf8))
    else { throw noSuchUpload() }
    return found
  }

  private func noSuchUpload() -> ObjectError {
    ObjectError(
      .noSuchUpload,
      "the specified upload does not exist: the id may be invalid, or the upload was aborted or completed")
  }

  /// Finds an upload.
  ///
  /// - Throws: `.noSuchUpload`, also if the upload is for another key.
  public func upload(_ bucket: String, _ key: String, _ id: String) throws(ObjectError) -> PartedUpload {
    let upload = try about(folder(bucket, id), id)
    guard upload.key.utf8.elementsEqual(key.utf8) else { throw noSuchUpload() }
    return upload
  }

  private func about(_ folder: borrowing StoreFolder, _ id: String) throws(ObjectError) -> PartedUpload {
    var bytes: [UInt8] = []
    do throws(FileError) {
      bytes = try readStart(of: folder.child(Self.aboutName), byteCount: 64 << 10)
    } catch {
      throw error.isMissing ? noSuchUpload() : ObjectError(error)
    }
    guard let record = ObjectRecord(bytes) else { throw noSuchUpload() }
    return PartedUpload(
      id: id, key: record.key, started: record.identity.modified, checksum: record.checksum?.algorithm,
      isComposite: record.checksum?.partCount != nil, attributes: record.attributes)
  }

  /// The uploads of a bucket, sorted by key and then by id.
  ///
  /// - Parameter after: list only uploads after this one; without an id, only uploads of later keys.
  public func uploads(_ bucket: String, prefix: String = "", after: (key: String, id: String?)? = nil)
    throws(ObjectError) -> [PartedUpload]
  {
    try checkBucket(bucket)
    guard isFolder(uploadsFolder(bucket)) else { return [] }
    let folder = try StoreFolder(path: uploadsFolder(bucket))
    var uploads: [PartedUpload] = []
    for entry in try folder.entries() where entry.isFolder {
      let name = Array(entry.name.dropLast())
      guard let child = try folder.folder(name),
        let upload = try? about(child, String(decoding: name, as: UTF8.self)),
        upload.key.utf8.starts(with: prefix.utf8), after.map({ Self.follows(upload, $0) }) ?? true
      else { continue }
      uploads.append(upload)
    }
    return uploads.sorted { left, right in
      let keys = (Array(left.key.utf8), Array(right.key.utf8))
      return keys.0 == keys.1 ? left.id < right.id : precedes(keys.0, keys.1)
    }
  }

  private static func follows(_ upload: PartedUpload, _ last: (key: String, id: String?)) -> Bool {
    let keys = (Array(upload.key.utf8), Array(last.key.utf8))
    if keys.0 == keys.1 { return last.id.map { upload.id > $0 } ?? false }
    return precedes(keys.1, keys.0)
  }

  /// Begins to receive a part.
  public func stagePart(_ upload: PartedUpload, checksum: ChecksumAlgorithm? = nil, withSHA256: Bool = false)
    throws(ObjectError) -> StagedObject
  {
    try StagedObject(
      in: stagingFolder, checksum: upload.checksum ?? checksum, withSHA256: withSHA256, durably: durably)
  }

  /// Turns the staged bytes into a part, replacing an earlier part of the same number.
  ///
  /// - Throws: `.invalidArgument` for a number outside 1...10,000; `.badDigest` and the like;
  ///   `.noSuchUpload`.
  @discardableResult
  public func finishPart(
    _ staged: StagedObject, _ bucket: String, _ upload: PartedUpload, number: Int,
    expected: ExpectedDigests = ExpectedDigests()
  ) throws(ObjectError) -> ObjectPart {
    guard (1...Self.mostParts).contains(number) else {
      throw ObjectError(
        .invalidArgument, "the part number is \(number); a number from 1 to \(Self.mostParts) is expected")
    }
    try staged.check(expected)
    if durably { try staged.sync() }
    let folder = try folder(bucket, upload.id)
    let former = try parts(folder).filter { $0.part.number == number }
    let part = ObjectPart(
      number: number, byteCount: staged.byteCount, modified: .now, etag: hexText(staged.md5),
      checksum: staged.checksum)
    let name = PartFile.name(part)
    if let code = staged.place(name, in: folder) {
      throw code == ENOENT
        ? noSuchUpload() : ObjectError(FileError(.system(call: "rename", code: code), path: upload.key))
    }
    for file in former where file.name != name { _ = try folder.unlink(file.name) }
    if durably { try folder.sync() }
    return part
  }

  private struct PartFile {
    let name: [UInt8]
    let part: ObjectPart

    /// "00001-<md5>-CRC32-<checksum>"
    static func name(_ part: ObjectPart) -> [UInt8] {
      let digits = String(part.number)
      let checksum = part.checksum.map { "-\($0.algorithm.rawValue)-\(hexText($0.bytes))" } ?? ""
      return Array(
        "\(String(repeating: "0", count: 5 - digits.utf8.count))\(digits)-\(part.etag)\(checksum)".utf8)
    }

    init?(_ name: [UInt8], _ status: stat) {
      let words = name.split(separator: UInt8(ascii: "-")).map { String(decoding: $0, as: UTF8.self) }
      guard words.count == 2 || words.count == 4, let number = Int(words[0]),
        (1...mostParts).contains(number),
        words[1].utf8.count == 32
      else { return nil }
      var checksum: Checksum?
      if words.count == 4, let algorithm = ChecksumAlgorithm(rawValue: words[2]),
        let bytes = hexBytes(words[3]),
        bytes.count == algorithm.byteCount
      {
        checksum = Checksum(algorithm, bytes)
      }
      self.name = name
      part = ObjectPart(
        number: number, byteCount: Int(status.st_size), modified: FileIdentity(status).modified,
        etag: words[1],
        checksum: checksum)
    }
  }

  private func parts(_ folder: borrowing StoreFolder) throws(ObjectError) -> [PartFile] {
    var files: [(file: PartFile, time: Int)] = []
    for entry in try folder.entries() where !entry.isFolder {
      guard let status = folder.status(entry.name), let file = PartFile(entry.name, status) else { continue }
      let time = FileIdentity(status).modifiedNanoseconds
      // Two files of one number remain if the process was killed while it replaced a part; the later one
      // counts.
      if let last = files.last, last.file.part.number == file.part.number {
        if last.time <= time { files[files.count - 1] = (file, time) }
      } else {
        files.append((file, time))
      }
    }
    return files.map(\.file)
  }

  /// The parts received so far, sorted by number.
  public func parts(_ bucket: String, _ upload: PartedUpload) throws(ObjectError) -> [ObjectPart] {
    try parts(folder(bucket, upload.id)).map(\.part)
  }

  /// Joins the parts into one object. The bytes are copied in the kernel if the file system supports it.
  ///
  /// - Parameters:
  ///   - claims: the parts to join, in ascending order of their numbers.
  ///   - checksum: the whole object's checksum as the client states it.
  ///   - byteCount: the whole object's size as the client states it.
  /// - Throws: `.invalidPartOrder`, `.invalidPart`, `.entityTooSmall`, `.badDigest`, `.invalidRequest`,
  ///   `.preconditionFailed`. The upload is then unchanged.
  public func completeUpload(
    _ bucket: String, _ upload: PartedUpload, _ claims: [PartClaim], checksum: String? = nil,
    byteCount: Int? = nil, conditions: WriteConditions = WriteConditions()
  ) throws(ObjectError) -> ObjectInfo {
    let folder = try folder(bucket, upload.id)
    let present = Dictionary(try parts(folder).map { ($0.part.number, $0) }) { _, last in last }
    var chosen: [PartFile] = []
    for claim in claims {
      if let last = chosen.last, last.part.number >= claim.number {
        throw ObjectError(.invalidPartOrder, "the list of parts is not in ascending order by part number")
      }
      guard let file = present[claim.number], file.part.etag == claim.etag.lowercased(),
        claim.checksums.allSatisfy({ algorithm, text in
          file.part.checksum.map { $0.algorithm == algorithm && $0.text == text } ?? false
        })
      else {
        throw ObjectError(
          .invalidPart,
          "part \(claim.number) could not be found: it was not uploaded, or its ETag or checksum is different"
        )
      }
      if let last = chosen.last, last.part.byteCount < Self.smallestPart {
        throw ObjectError(
          .entityTooSmall,
          "part \(last.part.number) has \(last.part.byteCount) bytes; all but the last need at least \(Self.smallestPart)"
        )
      }
      chosen.append(file)
    }
    guard !chosen.isEmpty else { throw ObjectError(.malformedXML, "you must specify at least one part") }
    let whole = joinedChecksum(upload, chosen)
    if let checksum, whole?.text != checksum, whole.map({ base64Text($0.bytes) }) != checksum {
      throw ObjectError(
        .badDigest,
        "the checksum you specified is \(shown(checksum)), but that of the parts is \(whole?.text ?? "not known")"
      )
    }
    let found = chosen.reduce(0) { $0 + $1.part.byteCount }
    if let byteCount, byteCount != found {
      throw ObjectError(
        .invalidRequest, "x-amz-mp-object-size is \(byteCount), but the parts have \(found) bytes in total")
    }
    let staged = try stage(bucket, upload.key)
    for file in chosen { try add(file, of: folder, to: staged) }
    let digest = Digest.of(chosen.flatMap { hexBytes($0.part.etag) ?? [] }, .md5)
    let info = try publish(
      staged, bucket, ObjectKey(upload.key), etag: "\(hexText(digest))-\(chosen.count)",
      attributes: upload.attributes, checksum: whole, parts: PartRun.runs(chosen.map(\.part.byteCount)),
      conditions)
    removeUpload(bucket, upload)
    return info
  }

  private func joinedChecksum(_ upload: PartedUpload, _ files: [PartFile]) -> Checksum? {
    guard let algorithm = upload.checksum else { return nil }
    let sums = files.compactMap { file in file.part.checksum.map { ($0, file.part.byteCount) } }
    guard sums.count == files.count else { return nil }
    return Checksum.joined(sums, algorithm, composite: upload.isComposite)
  }

  private func add(_ file: PartFile, of folder: borrowing StoreFolder, to staged: StagedObject)
    throws(ObjectError)
  {
    guard let (source, status) = try folder.file(file.name), Int(status.st_size) == file.part.byteCount else {
      throw ObjectError(.invalidPart, "part \(file.part.number) has disappeared")
    }
    let info = ObjectInfo(
      key: "part \(file.part.number)", byteCount: file.part.byteCount, modified: file.part.modified,
      etag: file.part.etag,
      attributes: ObjectAttributes(), checksum: nil)
    try staged.copy(ObjectReader(info, descriptor: source), 0..<file.part.byteCount)
  }

  /// Removes an upload and its parts.
  public func abortUpload(_ bucket: String, _ upload: PartedUpload) { removeUpload(bucket, upload) }

  /// Moves the upload's folder away first and then deletes its files, so that a killed process never leaves
  /// an upload with some of its parts missing.
  private func removeUpload(_ bucket: String, _ upload: PartedUpload) {
    let folder = "\(uploadsFolder(bucket))/\(upload.id)"
    let isMoved = unsafe rename(folder, "\(stagingFolder)/\(upload.id)") == 0
    removeTree(isMoved ? stagingFolder : uploadsFolder(bucket), Array(upload.id.utf8))
  }

  /// Removes the folders of uploads that a killed process had not finished creating; no client knows their
  /// ids.
  func removeUnbegunUploads() {
    guard let uploads = try? StoreFolder(path: root + "/.imrec/uploads"),
      let buckets = try? uploads.entries()
    else { return }
    for bucket in buckets where bucket.isFolder {
      guard let folder = try? uploads.folder(Array(bucket.name.dropLast())), let found = try? folder.entries()
      else { continue }
      for entry in found where entry.isFolder {
        let id = Array(entry.name.dropLast())
        guard let upload = try? folder.folder(id), upload.status(Self.aboutName) == nil else { continue }
        removeTree(folder.path, id)
      }
    }
  }
}
