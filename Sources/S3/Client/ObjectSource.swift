/// Where jobs read and write: a local store with the files of this machine, or a real S3.
public protocol ObjectSource: Sendable {
  /// All objects under a prefix, in the order of their keys; of a `file://` place the file itself, or all files below
  /// the folder.
  ///
  /// - Parameter visit: gets a page at a time, so that memory does not grow with the number of objects.
  func list(_ prefix: S3Location, visit: ([ListedObject]) throws -> Void) async throws

  /// Whether there is an object of exactly this name.
  func exists(_ location: S3Location) async throws -> Bool

  /// Writes the object to a file, under its name only when whole. The folder must be there.
  func download(_ location: S3Location, to path: String) async throws

  /// Puts a file, large ones in parts. Nothing is seen of it until it is whole.
  func upload(_ path: String, to location: S3Location) async throws

  /// Puts a small object.
  func put(_ bytes: [UInt8], to location: S3Location) async throws
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
