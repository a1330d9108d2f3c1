import Files
import Foundation
import Glibc
import S3
import TestSupport

@testable import SageMaker

/// Objects as files of a folder: `ROOT/bucket/key`.
struct FolderObjects: ObjectSource {
  let root: String

  init(_ root: String) { self.root = root }

  func list(_ prefix: S3Location, visit: ([ListedObject]) throws -> Bool) async throws {
    let bucket = try path(of: S3Location(bucket: prefix.bucket, key: ""))
    // Below the last folder that the prefix names.
    let start = prefix.key.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(prefix.key[...$0]) } ?? ""
    let folder = try path(of: S3Location(bucket: prefix.bucket, key: start))
    guard isFolder(bucket) else {
      throw ObjectError(.noSuchBucket, "the specified bucket does not exist: \(prefix.bucket)")
    }
    guard let names = FileManager.default.enumerator(atPath: folder) else { return }
    var found: [ListedObject] = []
    for case let name as String in names {
      let key = start + name
      guard key.hasBytePrefix(prefix.key), !isFolder(join(folder, name)), !name.hasSuffix(".partial") else {
        continue
      }
      guard let stamp = FileStamp(path: join(folder, name)) else { continue }
      found.append(
        ListedObject(
          location: S3Location(bucket: prefix.bucket, key: key), byteCount: stamp.byteCount,
          etag: "\(stamp.byteCount)-\(stamp.modifiedNanoseconds)"))
    }
    _ = try visit(found.sorted { precedes($0.location.key, $1.location.key) })
  }

  func download(_ object: S3Location, to path: String) async throws {
    let source = try self.path(of: object)
    guard FileStamp(path: source) != nil else {
      throw ObjectError(.noSuchKey, "the specified key does not exist: \(object.key)")
    }
    try linkOrCopy(source, to: path)
  }

  func upload(_ path: String, to object: S3Location) async throws {
    let target = try self.path(of: object)
    try makeFolder(folderName(target))
    let partial = target + ".\(getpid()).partial"
    try linkOrCopy(path, to: partial)
    guard rename(partial, target) == 0 else {
      throw FileError(.system(call: "rename", code: errno), path: target)
    }
  }

  func put(_ bytes: [UInt8], to object: S3Location) async throws {
    writeScratchFile(try path(of: object), bytes)
  }

  private func path(of object: S3Location) throws -> String {
    let bucket = try Channels.safe(object.bucket)
    guard !object.key.isEmpty else { return join(root, bucket) }
    let isFolder = object.key.hasSuffix("/")
    return join(join(root, bucket), try Channels.safe(isFolder ? String(object.key.dropLast()) : object.key))
  }
}

/// The new name holds the bytes of the old one; what had that name goes.
private func linkOrCopy(_ source: String, to target: String) throws {
  unlink(target)
  if link(source, target) == 0 { return }
  guard errno != ENOENT else { throw FileError(.system(call: "open", code: ENOENT), path: source) }
  try FileManager.default.copyItem(atPath: source, toPath: target)
}
