/// `s3://bucket/key`; the key may be empty, and is a plain prefix where a prefix is meant.
public struct ObjectPlace: Hashable, Sendable, CustomStringConvertible {
  public let bucket: String
  public let key: String

  public init(bucket: String, key: String) {
    self.bucket = bucket
    self.key = key
  }

  /// - Throws: `.validation` for what is no `s3://bucket/key`.
  public init(_ uri: String) throws(ControlPlaneError) {
    guard uri.hasPrefix("s3://") else {
      throw .invalid("\(uri) is no S3 URI that is read here; s3://bucket/key is expected")
    }
    // By bytes: Swift takes a slash with a mark behind it for another character.
    let parts = uri.utf8.dropFirst(5).split(
      separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false
    ).map { String(Substring($0)) }
    guard let bucket = parts.first, !bucket.isEmpty else { throw .invalid("\(uri) names no bucket") }
    self.init(bucket: bucket, key: parts.count > 1 ? parts[1] : "")
  }

  public var description: String { "s3://\(bucket)/\(key)" }

  /// Below it, as below a folder.
  public func appending(_ path: String) -> ObjectPlace {
    ObjectPlace(bucket: bucket, key: key.isEmpty || key.hasSuffix("/") ? key + path : "\(key)/\(path)")
  }
}

/// What jobs need of an object store.
public protocol ObjectAccess: Sendable {
  /// The objects whose keys begin with the place's, in the order of their keys.
  ///
  /// - Parameter most: nil: all.
  func list(_ prefix: ObjectPlace, most: Int?) async throws -> [ObjectPlace]

  /// What tells two contents of an object apart: its ETag, or its size and time.
  func version(of object: ObjectPlace) async throws -> String

  /// Puts an object's bytes at a path whose folder is there. They are only to be read.
  func download(_ object: ObjectPlace, to path: String) async throws

  /// The file is not changed any more.
  func upload(_ path: String, to object: ObjectPlace) async throws
}
