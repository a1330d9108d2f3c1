import Glibc

/// Why an operation on a file failed, and the path of that file.
///
/// The description is a sentence for the user: the path, then what is wrong with it.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What can be wrong.
  public enum Reason: Hashable, Sendable {
    /// A system call failed and set `errno` to `code`. `call` is a verb for the message: "open", "write".
    case system(call: String, code: Int32)
    /// The path does not name a regular file; says what is there, for example "a FIFO".
    case notRegular(String)
    /// The file was modified while it was read, so the bytes that were read may mix two versions of it.
    case changed
    /// The file has `byteCount` bytes, more than the `limit` that the caller accepts.
    case tooLarge(byteCount: Int, limit: Int)
    /// The folder of the inputs was moved or removed while they were read.
    case wentAway
    /// Another process is writing the same output.
    case inUse
    /// Another process holds the lock of this output; says which: "process 4711, since 2026-11-30 18:20:00 UTC".
    case held(by: String)
    /// The file cannot be created because this folder does not exist.
    case noFolder(String)
  }
  /// What is wrong.
  public let reason: Reason
  /// The file or folder that the error is about.
  public let path: String

  /// An error at the file or folder `path`.
  public init(_ reason: Reason, path: String) {
    self.reason = reason
    self.path = path
  }

  /// The path and the reason: "a/1.jpg: the disk is full".
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
      case ENAMETOOLONG: "its name or path is longer than the system allows"
      case EMFILE, ENFILE: "too many files are open at once"
      case EFBIG: "it would become larger than is allowed (ulimit -f)"
      case EROFS: "the disk is read-only"
      case EEXIST: "a file of this name is in the way"
      case ENOTEMPTY: "this folder is not empty"
      case EIO: "the disk or its connection failed (\(call): input/output error)"
      case ENODEV, ENXIO: "the device is gone"
      case ESTALE, ENOTCONN, EHOSTDOWN, ETIMEDOUT: "the file server no longer answers"
      case EUCLEAN, EBADMSG: "the file system is damaged"
      case ENOMEM, ENOBUFS: "the machine has too little memory to \(call) it"
      case ENOSYS, EOPNOTSUPP: "the file system cannot \(call) it"
      case EBUSY, ETXTBSY: "another program is using it"
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

  /// Whether the file or folder does not exist.
  public var isMissing: Bool {
    if case .system(_, let code) = reason { code == ENOENT || code == ENOTDIR } else { false }
  }

  /// Whether the cause is the machine (too few descriptors, too little memory, a failing disk or file server) rather
  /// than this file, so that the next file would fail as well.
  public var isOfMachine: Bool {
    guard case .system(_, let code) = reason else { return false }
    return [
      EMFILE, ENFILE, ENOMEM, ENOBUFS, EIO, ENODEV, ENXIO, ESTALE, ENOTCONN, EHOSTDOWN, ETIMEDOUT, EUCLEAN,
      EBADMSG, EREMOTEIO, ESHUTDOWN,
    ].contains(code)
  }

  /// The error that `errno` tells of, right after the system call failed.
  static func last(_ call: String, _ path: String) -> FileError {
    FileError(.system(call: call, code: errno), path: path)
  }
}
