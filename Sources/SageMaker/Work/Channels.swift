import Encodings
import Files
import Foundation
package import S3

/// Brings objects to where a job's process reads them.
package struct Channels {
  let objects: any ObjectSource

  /// What the caller has to mend.
  package struct Fault: Error, CustomStringConvertible {
    package let description: String
  }

  /// One object, and its path below a folder.
  package struct Item: Sendable {
    package let object: S3Location
    package let path: String
  }

  /// The objects of a prefix. Paths are the keys after the prefix, or, where it ends within a name, after its last `/`.
  func items(prefix uri: String) async throws -> [Item] {
    let place = try S3Location(uri: uri)
    let found = try await listed(place).filter { !$0.isFolder }
    guard !found.isEmpty else { throw Fault(description: "No S3 objects found under S3 URL \"\(uri)\"") }
    let base = place.key.isEmpty || place.isFolder ? place.key : place.key + "/"
    let isFolder = found.allSatisfy { $0.key.hasBytePrefix(base) }
    let start = isFolder ? base.utf8.count : place.nameStart
    return try found.map { Item(object: $0, path: try Self.safe($0.key(after: start))) }
  }

  /// No object where there is no bucket.
  private func listed(_ place: S3Location) async throws -> [S3Location] {
    do { return try await objects.list(place) } catch let error where saysMissing(error) {
      return []
    }
  }

  /// - Parameter namer: what names the object.
  func download(_ object: S3Location, to path: String, namedBy namer: String) async throws {
    if try await !isThere(object, downloading: path) {
      throw Fault(description: "there is no object \(object), which \(namer) names")
    }
  }

  // Apart from the function that throws: swiftc 6.3.1 crashes in its optimiser where an async one catches and throws anew.
  private func isThere(_ object: S3Location, downloading path: String) async throws -> Bool {
    do {
      try await objects.download(object, to: path)
      return true
    } catch let error where saysMissing(error) {
      return false
    }
  }

  /// The objects that a manifest names: `[{"prefix": "s3://bucket/prefix"}, "relative/path", ...]`.
  func items(manifest uri: String, in scratch: String) async throws -> [Item] {
    let path = join(scratch, "manifest.json")
    try await download(try S3Location(uri: uri), to: path, namedBy: "the channel")
    return try Self.items(manifest: uri, at: path)
  }

  // Apart from the async function: swiftc 6.3.1 crashes in its optimiser where one of those catches and throws anew.
  @inline(never)
  package static func items(manifest uri: String, at path: String) throws -> [Item] {
    let bytes = try readFile(path, limit: 256 << 20).bytes
    let elements: [JSON]
    do { elements = try JSON(parsing: bytes).list ?? [] } catch {
      throw Fault(description: "the manifest \(uri) is no JSON: \(error)")
    }
    guard let prefix = elements.first?["prefix"]?.text else {
      throw Fault(description: "the manifest \(uri) does not begin with {\"prefix\": \"s3://...\"}")
    }
    let place = try S3Location(uri: prefix)
    return try elements.dropFirst().map { element in
      guard let path = element.text else {
        throw Fault(description: "the manifest \(uri) names an object that is no text: \(element.encoded)")
      }
      return Item(object: S3Location(bucket: place.bucket, key: place.key + path), path: try safe(path))
    }
  }

  /// - Parameter isGzip: the objects are compressed.
  func download(_ items: [Item], to folder: String, unpacking isGzip: Bool = false) async throws {
    try makeFolder(folder)
    // No key has it: it is beside the folder.
    let packed = folder + "~packed"
    for item in items {
      try Task.checkCancellation()
      let path = join(folder, item.path)
      try makeFolder(folderName(path))
      try await download(item.object, to: isGzip ? packed : path, namedBy: "the channel")
      if isGzip { try Self.unpack(packed, to: path, of: item.object) }
    }
    if isGzip { try? FileManager.default.removeItem(atPath: packed) }
  }

  @inline(never)
  private static func unpack(_ packed: String, to path: String, of object: S3Location) throws {
    do { try unpackGzip(packed, to: path) } catch let fault as GzipFault {
      throw Fault(description: "\(object) is no whole gzip file: \(fault)")
    }
  }

  /// Under the names that they have unpacked: without `.gz`, by which the trainer finds its records.
  ///
  /// - Throws: where two would have the same one.
  static func unpackedNames(_ items: [Item]) throws(Fault) -> [Item] {
    var taken: Set<ByteName> = []
    var named: [Item] = []
    for item in items {
      let isNamed = item.path.hasByteSuffix(".gz") && baseName(item.path) != ".gz"
      let path = isNamed ? String(decoding: item.path.utf8.dropLast(3), as: UTF8.self) : item.path
      guard taken.insert(ByteName(path)).inserted else {
        throw Fault(description: "\(item.object) and another object are both \(path) when they are unpacked")
      }
      named.append(Item(object: item.object, path: path))
    }
    return named
  }

  /// An augmented manifest, its images beside it: references become paths.
  func download(augmentedManifest uri: String, attributes: [String], to folder: String) async throws {
    try makeFolder(join(folder, "objects"))
    let path = join(folder, "manifest")
    try await download(try S3Location(uri: uri), to: path, namedBy: "the channel")
    let text = String(decoding: try readFile(path, limit: 1 << 30).bytes, as: UTF8.self)
    try? FileManager.default.removeItem(atPath: path)
    var lines = ""
    for (index, line) in text.split(separator: "\n").enumerated() {
      try Task.checkCancellation()
      guard let entry = try? JSON(parsing: Array(line.utf8)), entry.object != nil else {
        throw Fault(description: "\(uri): line \(index + 1) is no JSON object")
      }
      var members: JSON = [:]
      for name in attributes {
        guard let value = entry[name] else {
          throw Fault(description: "\(uri): line \(index + 1) has no attribute \(name)")
        }
        members[name] = value
      }
      // The first is the image's.
      guard let name = attributes.first, let reference = members[name]?.text else {
        throw Fault(
          description:
            "\(uri): line \(index + 1): \(attributes.first ?? "the image") is no text such as s3://bucket/key"
        )
      }
      let object = try S3Location(uri: reference)
      let image = join(folder, "objects/\(index)-\(try Self.safe(baseName(object.key)))")
      try await download(object, to: image, namedBy: "line \(index + 1) of \(uri)")
      members[name] = .string(image)
      lines += members.encoded + "\n"
    }
    try writeFile(join(folder, "data.manifest"), lines)
  }

  /// - Throws: for a key that names no file below a folder.
  static func safe(_ path: String) throws(Fault) -> String {
    // By bytes, as the file system has it: Swift takes a slash with a mark behind it for another character.
    let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    let isSafe = parts.allSatisfy { part in
      !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
    }
    guard isSafe, !path.utf8.contains(0) else {
      throw Fault(description: "the key '\(path)' cannot be the name of a file")
    }
    return path
  }
}

extension S3Location {
  /// - Throws: `.validation` for what is no `s3://bucket/key`.
  init(uri: String) throws(ControlPlaneError) {
    guard uri.hasBytePrefix("s3://"), !uri.utf8.contains(0) else {
      throw .invalid("\(uri) is no S3 URI that is read here; s3://bucket/key is expected")
    }
    guard let location = S3Location(uri) else { throw .invalid("\(uri) names no bucket") }
    self = location
  }

  /// The key after its first bytes.
  func key(after byteCount: Int) -> String { String(decoding: key.utf8.dropFirst(byteCount), as: UTF8.self) }

  /// Where the name begins that the key ends in, in bytes: after the last `/`.
  var nameStart: Int { key.utf8.count - (key.utf8.reversed().prefix { $0 != UInt8(ascii: "/") }.count) }
}
