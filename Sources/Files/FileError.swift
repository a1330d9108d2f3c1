import Glibc

/// What went wrong with a file, and with which one.
///
/// The description is a sentence for the user: what was tried, and what the system answered.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// A system call failed with `errno` = `code`.
    case system(call: String, code: Int32)
    /// The path names something that cannot be read as a file, for example "a FIFO".
    case notRegular(String)
    /// The file was written to while it was read; what was read is of no one version of it.
    case changed
    /// The file has `byteCount` bytes, more than the `limit` the caller accepts.
    case tooLarge(byteCount: Int, limit: Int)
    /// The folder that the inputs lie below was moved or removed while they were read.
    case wentAway
    /// Another process is writing the same output.
    case inUse
    /// Another process keeps this output to itself; says which: "process 4711, since 2026-11-30 18:20:00 UTC".
    case held(by: String)
    /// The folder that the file should be made in is not there.
    case noFolder(String)
  }
  public let reason: Reason
  public let path: String

  public init(_ reason: Reason, path: String) {
    self.reason = reason
    self.path = path
  }

  public var description: String { "\(path): \(sentence)" }

  /// The reason alone, without the path.
  public var sentence: String {
    switch reason {
    case .system(let call, let code):
      switch code {
      case ENOENT: "there is no such file or folder"
      case EACCES, EPERM: "permission to \(call) it is denied"
      case ENOSPC: "the disk is full"
      case EDQUOT: "the disk quota is used up"
      case EISDIR: "this is a folder, not a file"
      case ENOTDIR: "a part of this path is a file, not a folder"
      case ELOOP: "this link leads back to itself"
      case ENAMETOOLONG: "its name or path is longer than the system takes"
      case EMFILE, ENFILE: "too many files are open at once"
      case EFBIG: "it would become larger than is allowed (ulimit -f)"
      case EROFS: "the disk can only be read"
      case EEXIST: "a file of this name is in the way"
      case ENOTEMPTY: "this folder is not empty"
      case EIO: "the disk or its connection failed (\(call): input/output error)"
      case ENODEV, ENXIO: "the device is gone"
      case ESTALE, ENOTCONN, EHOSTDOWN, ETIMEDOUT: "the file server does not answer for it any more"
      case EUCLEAN, EBADMSG: "the file system is damaged"
      case ENOMEM, ENOBUFS: "the machine has too little memory to \(call) it"
      case ENOSYS, EOPNOTSUPP: "the file system cannot \(call) it"
      case EBUSY, ETXTBSY: "another program holds it"
      default: "\(call) failed: \(unsafe String(cString: strerror(code)))"
      }
    case .notRegular(let kind): "this is \(kind), not a file"
    case .changed: "it was changed while it was being read"
    case .tooLarge(let byteCount, let limit): "it has \(byteCount) bytes, more than the \(limit) allowed here"
    case .wentAway: "the folder was moved or removed while its files were being read"
    case .inUse: "another process is writing it now"
    case .held(let holder): "it is in use by \(holder)"
    case .noFolder(let folder): "there is no folder \(folder) to write it in"
    }
  }

  /// Whether the file or folder is simply not there.
  public var isMissing: Bool {
    if case .system(_, let code) = reason { code == ENOENT || code == ENOTDIR } else { false }
  }

  /// Whether the machine lacks something, or its disk or file server fails, so that the next file would fare no better:
  /// not the file's own fault.
  public var isOfMachine: Bool {
    guard case .system(_, let code) = reason else { return false }
    return [
      EMFILE, ENFILE, ENOMEM, ENOBUFS, EIO, ENODEV, ENXIO, ESTALE, ENOTCONN, EHOSTDOWN, ETIMEDOUT, EUCLEAN,
      EBADMSG, EREMOTEIO, ESHUTDOWN,
    ].contains(code)
  }

  static func last(_ call: String, _ path: String) -> FileError {
    FileError(.system(call: call, code: errno), path: path)
  }
}
