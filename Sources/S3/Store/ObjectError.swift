import Files
import Glibc

/// Why an operation of the object store failed, with S3's error code.
public struct ObjectError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The raw value is the code as S3 spells it.
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
    case invalidPartNumber = "InvalidPartNumber"
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
  /// A sentence for the user, who may be on another machine; it never contains a path of this machine.
  public let message: String
  /// The file or folder concerned, for those who have access to this machine.
  public let path: String?

  public init(_ code: Code, _ message: String, path: String? = nil) {
    self.code = code
    self.message = message
    self.path = path
  }

  public var description: String { "\(code.rawValue): \(message)\(path.map { " (\($0))" } ?? "")" }

  /// The HTTP status of the response.
  public var statusCode: Int {
    switch code {
    case .noSuchBucket, .noSuchKey, .noSuchUpload: 404
    case .bucketAlreadyOwnedByYou, .bucketNotEmpty: 409
    case .accessDenied: 403
    case .methodNotAllowed: 405
    case .preconditionFailed: 412
    case .invalidPartNumber, .invalidRange: 416
    case .internalError: 500
    case .notImplemented: 501
    case .slowDown: 503
    case .insufficientStorage: 507
    default: 400
    }
  }

  /// The error for a failed system call, from `errno`.
  static func last(_ call: String, _ path: String) -> ObjectError {
    ObjectError(FileError(.system(call: call, code: errno), path: path))
  }

  init(_ error: FileError) {
    let code: Code
    switch error.reason {
    case .system(_, ENOSPC), .system(_, EDQUOT): code = .insufficientStorage
    case .system(_, EMFILE), .system(_, ENFILE): code = .slowDown
    case .system(_, EFBIG): code = .entityTooLarge
    case .noFolder:
      self.init(.internalError, "a folder of the object store is missing", path: error.path)
      return
    default: code = .internalError
    }
    self.init(code, "a file of the object store: \(error.sentence)", path: error.path)
  }

  static func noSuchKey(_ key: String) -> ObjectError {
    ObjectError(.noSuchKey, "the specified key does not exist: \(shown(key))")
  }

  static func noSuchBucket(_ bucket: String) -> ObjectError {
    ObjectError(.noSuchBucket, "the specified bucket does not exist: \(shown(bucket))")
  }
}

/// Client-supplied text for use in a message: at most 200 characters, control characters as `?`.
func shown(_ text: String) -> String {
  String(String.UnicodeScalarView(text.unicodeScalars.prefix(200).map { $0.value < 0x20 ? "?" : $0 }))
}
