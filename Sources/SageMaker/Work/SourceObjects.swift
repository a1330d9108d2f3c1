import Encodings
public import S3

/// The object store of the machine, or a real S3.
public struct SourceObjects: ObjectAccess {
  public let source: any ObjectSource

  /// Enough objects were listed.
  private struct Enough: Error {}

  public init(_ source: any ObjectSource) { self.source = source }

  public func list(_ prefix: ObjectPlace, most: Int?) async throws -> [ObjectPlace] {
    var found: [ObjectPlace] = []
    do {
      try await source.list(Self.location(prefix)) { page in
        for object in page {
          guard case .object(let bucket, let key) = object.location else { continue }
          found.append(ObjectPlace(bucket: bucket, key: key))
          if found.count == most { throw Enough() }
        }
      }
    } catch is Enough {}
    return found
  }

  public func version(of object: ObjectPlace) async throws -> String {
    var etag: String?
    do {
      try await source.list(Self.location(object)) { page in
        etag = page.first { $0.location == Self.location(object) }?.etag
        throw Enough()
      }
    } catch is Enough {}
    guard let etag else { throw ControlPlaneError.invalid("there is no object \(object)") }
    return etag
  }

  public func download(_ object: ObjectPlace, to path: String) async throws {
    try await source.download(Self.location(object), to: path)
  }

  public func upload(_ path: String, to object: ObjectPlace) async throws {
    try await source.upload(path, to: Self.location(object))
  }

  private static func location(_ place: ObjectPlace) -> S3Location {
    .object(bucket: place.bucket, key: place.key)
  }
}
