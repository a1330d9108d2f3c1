public import Encodings
import Files
import Glibc

/// An upload in parts that is not finished.
public struct PartedUpload: Hashable, Sendable {
  public let id: String
  public let key: String
  public let started: UTCTime
  public let checksum: ChecksumAlgorithm?
  /// The checksum will be that of the parts' checksums, not of the whole.
  public let isComposite: Bool
  public let attributes: ObjectAttributes
}

/// A part of an upload.
public struct ObjectPart: Hashable, Sendable {
  /// 1...10,000
  public let number: Int
  public let byteCount: Int
  public let modified: UTCTime
  public let etag: String
  public let checksum: Checksum?
}

/// What a client says of a part when it completes an upload.
public struct PartClaim: Hashable, Sendable {
  public let number: Int
  public let etag: String
  /// In base64.
  public let checksums: [ChecksumAlgorithm: String]

  public init(number: Int, etag: String, checksums: [ChecksumAlgorithm: String] = [:]) {
    self.number = number
    self.etag = etag
    self.checksums = checksums
  }
}

/// Uploads in parts: `ROOT/.imrec/uploads/BUCKET/ID` has a file that says what for, and one for each part, whose name
/// says its number and digests. All of it outlives the process.
extension ObjectStore {
  public static let mostParts = 10_000
  /// All parts but the last have so many bytes at least.
  public static let smallestPart = 5 << 20

  private static let aboutName = Array("about".utf8)

  private func uploadsFolder(_ bucket: String) -> String { "\(root)/.imrec/uploads/\(bucket)" }

  /// - Parameter isComposite: nil: as S3 does unless told otherwise.
  public func beginUpload(
    _ bucket: String, _ key: String, attributes: ObjectAttributes = ObjectAttributes(),
    checksum: ChecksumAlgorithm? = nil, isComposite: Bool? = nil
  ) throws(ObjectError) -> PartedUpload {
    let found = try ObjectKey(key)
    guard !found.isFolder else {
      throw ObjectError(
        .invalidRequest, "the key '\(shown(key))' ends in a slash: it cannot have contents here")
    }
    try checkBucket(bucket)
    let composite = isComposite ?? (checksum != .crc64nvme)
    if let checksum, composite == (checksum == .crc64nvme) || (!composite && checksum.polynomial == nil) {
      throw ObjectError(
        .invalidRequest,
        "the checksum type \(composite ? "COMPOSITE" : "FULL_OBJECT") does not go with \(checksum.rawValue)")
    }
    let upload = PartedUpload(
      id: randomHexText(), key: key, started: .now, checksum: checksum, isComposite: composite,
      attributes: attributes)
    // A record of no file: the form is that of objects' side files.
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
      var file = try StagedFile(folder + "/about")
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
    return upload
  }

  private func folder(_ bucket: String, _ id: String) throws(ObjectError) -> StoreFolder {
    try checkBucket(bucket)
    // An id is what we made it, so it leads nowhere else.
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

  /// - Throws: `.noSuchUpload`, also where the key is not the upload's.
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

  /// In the order of keys, and of ids for one key.
  ///
  /// - Parameter after: a key, and of its uploads the last one that is not wanted; where there is no id, none of the key's is.
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

  /// Makes what was staged a part; one of the same number is replaced.
  @discardableResult
  public func finishPart(
    _ staged: StagedObject, _ bucket: String, _ upload: PartedUpload, number: Int,
    expected: ExpectedDigests = ExpectedDigests()
  ) throws(ObjectError) -> ObjectPart {
    guard (1...Self.mostParts).contains(number) else {
      throw ObjectError(
        .invalidArgument, "the number of a part is from 1 to \(Self.mostParts), and not \(number)")
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
      // Two of one number: the process was killed before it removed the former.
      if let last = files.last, last.file.part.number == file.part.number {
        if last.time <= time { files[files.count - 1] = (file, time) }
      } else {
        files.append((file, time))
      }
    }
    return files.map(\.file)
  }

  /// In the order of their numbers.
  public func parts(_ bucket: String, _ upload: PartedUpload) throws(ObjectError) -> [ObjectPart] {
    try parts(folder(bucket, upload.id)).map(\.part)
  }

  /// Makes the parts one object, copied in the kernel where the file system can do that.
  ///
  /// - Parameters:
  ///   - checksum: what the client says the whole's is.
  ///   - byteCount: what the client says the whole has.
  /// - Throws: `.invalidPartOrder`, `.invalidPart`, `.entityTooSmall`, `.badDigest`, `.invalidRequest`. Then the upload is
  ///   still there.
  public func completeUpload(
    _ bucket: String, _ upload: PartedUpload, _ claims: [PartClaim], checksum: String? = nil,
    byteCount: Int? = nil, conditions: WriteConditions = WriteConditions()
  ) throws(ObjectError) -> ObjectInfo {
    let folder = try folder(bucket, upload.id)
    let present = Dictionary(try parts(folder).map { ($0.part.number, $0) }) { _, last in last }
    var chosen: [PartFile] = []
    for claim in claims {
      if let last = chosen.last, last.part.number >= claim.number {
        throw ObjectError(.invalidPartOrder, "the list of parts was not in ascending order of their numbers")
      }
      guard let file = present[claim.number], file.part.etag == claim.etag.lowercased(),
        claim.checksums.allSatisfy({ algorithm, text in
          file.part.checksum.map { $0.algorithm == algorithm && $0.text == text } ?? false
        })
      else {
        throw ObjectError(
          .invalidPart,
          "the part \(claim.number) could not be found: it was not uploaded, or its ETag or checksum is another one"
        )
      }
      if let last = chosen.last, last.part.byteCount < Self.smallestPart {
        throw ObjectError(
          .entityTooSmall,
          "the part \(last.part.number) has \(last.part.byteCount) bytes; all but the last need \(Self.smallestPart)"
        )
      }
      chosen.append(file)
    }
    guard !chosen.isEmpty else { throw ObjectError(.malformedXML, "you must specify at least one part") }
    let whole = joinedChecksum(upload, chosen)
    if let checksum, whole?.text != checksum, whole.map({ base64Text($0.bytes) }) != checksum {
      throw ObjectError(
        .badDigest,
        "the checksum you specified is \(shown(checksum)), and that of the parts is \(whole?.text ?? "not known")"
      )
    }
    let found = chosen.reduce(0) { $0 + $1.part.byteCount }
    if let byteCount, byteCount != found {
      throw ObjectError(
        .invalidRequest, "x-amz-mp-object-size is \(byteCount), and the parts have \(found) bytes together")
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
      throw ObjectError(.invalidPart, "the part \(file.part.number) is gone")
    }
    let info = ObjectInfo(
      key: "part \(file.part.number)", byteCount: file.part.byteCount, modified: file.part.modified,
      etag: file.part.etag,
      attributes: ObjectAttributes(), checksum: nil)
    try staged.copy(ObjectReader(info, descriptor: source), 0..<file.part.byteCount)
  }

  public func abortUpload(_ bucket: String, _ upload: PartedUpload) { removeUpload(bucket, upload) }

  /// Takes the upload away as a whole, and then its files: killed in between, the process leaves no upload of which some
  /// parts are missing.
  private func removeUpload(_ bucket: String, _ upload: PartedUpload) {
    let folder = "\(uploadsFolder(bucket))/\(upload.id)"
    let isMoved = unsafe rename(folder, "\(stagingFolder)/\(upload.id)") == 0
    removeTree(isMoved ? stagingFolder : uploadsFolder(bucket), Array(upload.id.utf8))
  }

  /// Removes the folders of uploads that a killed process had only begun to make: nobody knows their names.
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
