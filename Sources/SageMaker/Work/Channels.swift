import Encodings
import Files
import Foundation
import Models
package import S3

/// Downloads a job's input objects into its folder.
package struct Channels {
  let objects: any ObjectSource

  /// A fault in the request or its data, which the caller has to correct.
  package struct Fault: Error, CustomStringConvertible {
    package let description: String
  }

  /// An object, and the path relative to a folder that it is downloaded to.
  package struct Item: Sendable {
    package let object: S3Location
    package let path: String
  }

  /// The objects under a prefix. An item's path is its key without the prefix; if the prefix ends within a file name, its key after
  /// the last `/` of the prefix.
  ///
  /// - Throws: `Fault` if there is none.
  func items(prefix uri: String) async throws -> [Item] {
    let place = try S3Location(uri: uri)
    let found = try await listed(place).filter { !$0.isFolder }
    guard !found.isEmpty else { throw Fault(description: "No S3 objects found under S3 URL \"\(uri)\"") }
    let base = place.key.isEmpty || place.isFolder ? place.key : place.key + "/"
    let isFolder = found.allSatisfy { $0.key.hasBytePrefix(base) }
    let start = isFolder ? base.utf8.count : place.nameStart
    return try found.map { Item(object: $0, path: try Self.safe($0.key(after: start))) }
  }

  /// The objects under a prefix; none if the bucket does not exist.
  private func listed(_ place: S3Location) async throws -> [S3Location] {
    do { return try await objects.list(place) } catch let error where saysMissing(error) {
      return []
    }
  }

  /// Downloads one object.
  ///
  /// - Parameter namer: what refers to the object, for the error message, such as "the channel".
  /// - Throws: `Fault` if the object does not exist.
  func download(_ object: S3Location, to path: String, namedBy namer: String) async throws {
    if try await !isThere(object, downloading: path) {
      throw Fault(description: "there is no object \(object), which \(namer) names")
    }
  }

  // A separate function: the optimiser of swiftc 6.3.1 crashes on an async function that catches and rethrows.
  private func isThere(_ object: S3Location, downloading path: String) async throws -> Bool {
    do {
      try await objects.download(object, to: path)
      return true
    } catch let error where saysMissing(error) {
      return false
    }
  }

  /// The objects that a manifest lists: `[{"prefix": "s3://bucket/prefix"}, "relative/path", ...]`.
  func items(manifest uri: String, in scratch: String) async throws -> [Item] {
    let path = join(scratch, "manifest.json")
    try await download(try S3Location(uri: uri), to: path, namedBy: "the channel")
    return try Self.items(manifest: uri, at: path)
  }

  // A separate function: the optimiser of swiftc 6.3.1 crashes on an async function that catches and rethrows.
  /// The objects that a downloaded manifest lists.
  ///
  /// - Parameter path: the local copy of the manifest.
  /// - Throws: `Fault` if it is malformed; `FileError`.
  @inline(never)
  package static func items(manifest uri: String, at path: String) throws -> [Item] {
    let bytes = try readFile(path, limit: 256 << 20).bytes
    let elements: [JSON]
    do { elements = try JSON(parsing: bytes).list ?? [] } catch {
      throw Fault(description: "the manifest \(uri) is not valid JSON: \(error)")
    }
    guard let prefix = elements.first?["prefix"]?.text else {
      throw Fault(description: "the manifest \(uri) does not begin with {\"prefix\": \"s3://...\"}")
    }
    let place = try S3Location(uri: prefix)
    return try elements.dropFirst().map { element in
      guard let path = element.text else {
        throw Fault(description: "the manifest \(uri) has an entry that is not a string: \(element.encoded)")
      }
      return Item(object: S3Location(bucket: place.bucket, key: place.key + path), path: try safe(path))
    }
  }

  /// Downloads objects into a folder, which is created.
  ///
  /// - Parameter isGzip: whether the objects are gzip files to decompress.
  func download(_ items: [Item], to folder: String, unpacking isGzip: Bool = false) async throws {
    try makeFolder(folder)
    // Outside the folder, so that no key can collide with it.
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
      throw Fault(description: "\(object) is not a complete gzip file: \(fault)")
    }
  }

  /// The items with their paths after decompression, without `.gz`: the trainer finds its records by name extension.
  ///
  /// - Throws: `Fault` if two items would have the same path.
  static func unpackedNames(_ items: [Item]) throws(Fault) -> [Item] {
    var taken: Set<ByteName> = []
    var named: [Item] = []
    for item in items {
      let isNamed = item.path.hasByteSuffix(".gz") && baseName(item.path) != ".gz"
      let path = isNamed ? String(decoding: item.path.utf8.dropLast(3), as: UTF8.self) : item.path
      guard taken.insert(ByteName(path)).inserted else {
        throw Fault(description: "\(item.object) and another object would both be decompressed to \(path)")
      }
      named.append(Item(object: item.object, path: path))
    }
    return named
  }

  /// Downloads an augmented manifest and the images that it refers to, and replaces each reference by a local path.
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
        throw Fault(description: "\(uri): line \(index + 1) is not a JSON object")
      }
      var members: JSON = [:]
      for name in attributes {
        guard let value = entry[name] else {
          throw Fault(description: "\(uri): line \(index + 1) has no attribute \(name)")
        }
        members[name] = value
      }
      // The first attribute is the reference to the image.
      guard let name = attributes.first, let reference = members[name]?.text else {
        throw Fault(
          description:
            "\(uri): line \(index + 1): \(attributes.first ?? "the image") must be a string such as s3://bucket/key"
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

  /// Checks that a path stays below its folder: no component is empty, `.` or `..`, and there is no NUL byte.
  ///
  /// - Throws: `Fault` if it does not.
  static func safe(_ path: String) throws(Fault) -> String {
    // Bytes, as in the file system: to String, a slash with a combining mark after it is a different character.
    let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    let isSafe = parts.allSatisfy { part in
      !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
    }
    guard isSafe, !path.utf8.contains(0) else {
      throw Fault(description: "the key '\(path)' cannot be used as a file path")
    }
    return path
  }
}

extension S3Location {
  /// - Throws: `.validation` if the URI does not have the form `s3://bucket/key`.
  init(uri: String) throws(ControlPlaneError) {
    guard uri.hasBytePrefix("s3://"), !uri.utf8.contains(0) else {
      throw .invalid("\(uri) is not a supported S3 URI; s3://bucket/key is expected")
    }
    guard let location = S3Location(uri) else { throw .invalid("\(uri) has no bucket") }
    self = location
  }

  /// The key without its first `byteCount` bytes.
  func key(after byteCount: Int) -> String { String(decoding: key.utf8.dropFirst(byteCount), as: UTF8.self) }

  /// The byte offset of the last name in the key: after the last `/`.
  var nameStart: Int { key.utf8.count - (key.utf8.reversed().prefix { $0 != UInt8(ascii: "/") }.count) }
}
