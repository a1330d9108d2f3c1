import Files
import Glibc

/// Why the store does not do what was asked, with S3's code for it.
public struct ObjectError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The raw value is S3's name of it.
  public enum Code: String, Hashable, Sendable {
    case accessDenied = "AccessDenied"
    case badDigest = "BadDigest"
    case bucketAlreadyOwnedByYou = "BucketAlreadyOwnedByYou"
    case bucketNotEmpty = "BucketNotEmpty"
    case entityTooLarge = "EntityTooLarge"
    case entityTooSmall = "EntityTooSmall"
    case incompleteBody = "IncompleteBody"
    case insufficientStorage = "InsufficientStorage"
    case internalError = "InternalError"
    case invalidArgument = "InvalidArgument"
    case invalidBucketName = "InvalidBucketName"
    case invalidDigest = "InvalidDigest"
    case invalidPart = "InvalidPart"
    case invalidPartOrder = "InvalidPartOrder"
    case invalidRange = "InvalidRange"
    case invalidRequest = "InvalidRequest"
    case invalidURI = "InvalidURI"
    case keyTooLong = "KeyTooLongError"
    case malformedXML = "MalformedXML"
    case metadataTooLarge = "MetadataTooLarge"
    case methodNotAllowed = "MethodNotAllowed"
    case noSuchBucket = "NoSuchBucket"
    case noSuchKey = "NoSuchKey"
    case noSuchUpload = "NoSuchUpload"
    case notImplemented = "NotImplemented"
    case preconditionFailed = "PreconditionFailed"
    case slowDown = "SlowDown"
    case contentSHA256Mismatch = "XAmzContentSHA256Mismatch"
  }
  public let code: Code
  /// A sentence for the user.
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { "\(code.rawValue): \(message)" }

  /// The status of the answer.
  public var statusCode: Int {
    switch code {
    case .noSuchBucket, .noSuchKey, .noSuchUpload: 404
    case .bucketAlreadyOwnedByYou, .bucketNotEmpty: 409
    case .accessDenied: 403
    case .methodNotAllowed: 405
    case .preconditionFailed: 412
    case .invalidRange: 416
    case .internalError: 500
    case .notImplemented: 501
    case .slowDown: 503
    case .insufficientStorage: 507
    default: 400
    }
  }

  /// What a system call answered, from `errno`.
  static func last(_ call: String, _ path: String) -> ObjectError {
    ObjectError(FileError(.system(call: call, code: errno), path: path))
  }

  init(_ error: FileError) {
    guard case .system(_, let code) = error.reason else {
      self.init(.internalError, error.description)
      return
    }
    switch code {
    case ENOSPC, EDQUOT: self.init(.insufficientStorage, error.description)
    case EMFILE, ENFILE: self.init(.slowDown, error.description)
    case EFBIG: self.init(.entityTooLarge, error.description)
    default: self.init(.internalError, error.description)
    }
  }

  static func noSuchKey(_ key: String) -> ObjectError {
    ObjectError(.noSuchKey, "the specified key does not exist: \(shown(key))")
  }

  static func noSuchBucket(_ bucket: String) -> ObjectError {
    ObjectError(.noSuchBucket, "the specified bucket does not exist: \(shown(bucket))")
  }
}

/// A name for a message, and not much of it.
func shown(_ text: String) -> String {
  String(String.UnicodeScalarView(text.unicodeScalars.prefix(200).map { $0.value < 0x20 ? "?" : $0 }))
}
