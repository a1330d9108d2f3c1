/// Where jobs read and write: a local store, or a real S3.
public protocol ObjectSource: Sendable {
  /// All objects under a prefix, in the order of their keys.
  ///
  /// - Parameter visit: gets a page at a time, so that memory does not grow with the number of objects; it returns whether
  ///   to go on.
  /// - Throws: `ObjectError`, `.noSuchBucket` where there is no bucket; what `visit` throws.
  func list(_ prefix: S3Location, visit: ([ListedObject]) throws -> Bool) async throws

  /// Writes the object to a file, under its name only when whole. The folder must be there. The file is not to be changed.
  ///
  /// - Throws: `ObjectError`, `.noSuchKey` or `.noSuchBucket` where it is not there.
  func download(_ location: S3Location, to path: String) async throws

  /// Puts a file, which is not changed any more, large ones in parts. Nothing is seen of it until it is whole.
  func upload(_ path: String, to location: S3Location) async throws

  /// Puts a small object.
  func put(_ bytes: [UInt8], to location: S3Location) async throws
}

extension ObjectSource {
  /// The first objects under a prefix, in the order of their keys.
  public func list(_ prefix: S3Location, most: Int = .max) async throws -> [S3Location] {
    var found: [S3Location] = []
    try await list(prefix) { page in
      found += page.prefix(most - found.count).map(\.location)
      return found.count < most
    }
    return found
  }

  /// What tells two contents of an object apart; nil where there is no object of exactly this name.
  public func etag(of location: S3Location) async throws -> String? {
    var etag: String?
    try await list(location) { page in
      // Its key comes before all others that begin with it.
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
