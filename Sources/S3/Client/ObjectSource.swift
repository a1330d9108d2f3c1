/// Where jobs read and write objects: a local store or a remote S3.
public protocol ObjectSource: Sendable {
  /// Lists the objects whose keys begin with the prefix's, in the order of their keys' bytes.
  ///
  /// - Parameter visit: called with one page at a time, so that memory does not grow with the number of objects;
  ///   returns whether to go on.
  /// - Throws: `ObjectError`, `.noSuchBucket` if the bucket does not exist; what `visit` throws.
  func list(_ prefix: S3Location, visit: ([ListedObject]) throws -> Bool) async throws

  /// Writes the object to a file, which appears only when complete. Its folder must exist.
  ///
  /// - Throws: `ObjectError`, `.noSuchKey` or `.noSuchBucket` if the object does not exist.
  func download(_ location: S3Location, to path: String) async throws

  /// Uploads a file, a large one in parts. The object appears only when complete.
  ///
  /// - Throws: `FileError`, `.changed` if the file changes meanwhile; `ObjectError`.
  func upload(_ path: String, to location: S3Location) async throws

  /// Writes a small object.
  func put(_ bytes: [UInt8], to location: S3Location) async throws
}

extension ObjectSource {
  /// The first objects whose keys begin with the prefix's, in the order of their keys' bytes.
  public func list(_ prefix: S3Location, most: Int = .max) async throws -> [S3Location] {
    var found: [S3Location] = []
    try await list(prefix) { page in
      found += page.prefix(most - found.count).map(\.location)
      return found.count < most
    }
    return found
  }

  /// The ETag, which changes with the object's contents; nil if there is no object with exactly this key.
  public func etag(of location: S3Location) async throws -> String? {
    var etag: String?
    try await list(location) { page in
      // The key sorts before all others that begin with it.
      etag = page.first { $0.location == location }?.etag
      return false
    }
    return etag
  }
}

/// An object of a listing.
public struct ListedObject: Hashable, Sendable {
  public let location: S3Location
  public let byteCount: Int
  public let etag: String

  public init(location: S3Location, byteCount: Int, etag: String) {
    self.location = location
    self.byteCount = byteCount
    self.etag = etag
  }
}
