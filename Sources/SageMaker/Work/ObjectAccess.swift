import Files
import Glibc
import Hyperparameters
import S3
import Tuning

/// `s3://bucket/key`; the key may be empty, and is a plain prefix where a prefix is meant. Two are the same where their
/// bytes are.
public struct ObjectPlace: Hashable, Sendable, CustomStringConvertible {
  public let bucket: String
  public let key: String

  public init(bucket: String, key: String) {
    self.bucket = bucket
    self.key = key
  }

  /// - Throws: `.validation` for what is no `s3://bucket/key`.
  public init(_ uri: String) throws(ControlPlaneError) {
    guard uri.hasBytePrefix("s3://") else {
      throw .invalid("\(uri) is no S3 URI that is read here; s3://bucket/key is expected")
    }
    let parts = uri.utf8.dropFirst(5).split(
      separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
    guard let bucket = parts.first, !bucket.isEmpty else { throw .invalid("\(uri) names no bucket") }
    self.init(
      bucket: String(decoding: bucket, as: UTF8.self),
      key: parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : "")
  }

  public var description: String { "s3://\(bucket)/\(key)" }

  public static func == (left: ObjectPlace, right: ObjectPlace) -> Bool {
    hasSameBytes(left.bucket, right.bucket) && hasSameBytes(left.key, right.key)
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(ByteName(bucket))
    hasher.combine(ByteName(key))
  }

  /// The key after its first bytes.
  func key(after byteCount: Int) -> String { String(decoding: key.utf8.dropFirst(byteCount), as: UTF8.self) }

  /// Where the name begins that the key ends in, in bytes: after the last `/`.
  var nameStart: Int { key.utf8.count - (key.utf8.reversed().prefix { $0 != UInt8(ascii: "/") }.count) }

  var isFolder: Bool { key.utf8.last == UInt8(ascii: "/") }

  /// Below it, as below a folder.
  public func appending(_ path: String) -> ObjectPlace {
    ObjectPlace(bucket: bucket, key: key.isEmpty || isFolder ? key + path : "\(key)/\(path)")
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
  ///
  /// - Throws: `ObjectError`, `.noSuchKey` or `.noSuchBucket`, where it is not there.
  func download(_ object: ObjectPlace, to path: String) async throws

  /// The file is not changed any more.
  func upload(_ path: String, to object: ObjectPlace) async throws
}

/// Whether an object store says that the object or the bucket is not there.
func saysMissing(_ error: any Error) -> Bool {
  guard let error = error as? ObjectError else { return false }
  return error.code == .noSuchKey || error.code == .noSuchBucket
}

/// Whether what a job names, rather than the service, is at fault: a place that is not there or may not be used, a key that
/// is no name of a file.
func isOfCaller(_ error: any Error) -> Bool {
  switch error {
  case is Channels.Fault, is TuningError, is TrainingError: return true
  case let error as ControlPlaneError: return error.code == .validation
  case let error as ObjectError:
    switch error.code {
    case .internalError, .insufficientStorage, .slowDown, .notImplemented: return false
    default: return true
    }
  case let error as FileError:
    // Two keys of which one is a folder of the other's name; a name longer than files have.
    guard case .system(_, let code) = error.reason else { return false }
    return [ENAMETOOLONG, ENOTDIR, EISDIR, EEXIST].contains(code)
  default: return false
  }
}

/// A failed job's reason: whose fault, and the sentence.
func failureReason(_ error: any Error, _ words: String = "") -> String {
  let sentence = (error as? ControlPlaneError)?.message ?? "\(error)"
  return (isOfCaller(error) ? "ClientError: " : "InternalServerError: ") + words + sentence
}
