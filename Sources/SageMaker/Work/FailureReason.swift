import Files
import Glibc
import Hyperparameters
import S3
import Tuning

/// Whether an error says that an object or a bucket does not exist.
func saysMissing(_ error: any Error) -> Bool {
  guard let error = error as? ObjectError else { return false }
  return error.code == .noSuchKey || error.code == .noSuchBucket
}

/// Whether an error is the fault of the job's request, not of the service: a place that does not exist or may not be used, or
/// a key that cannot be a file's name.
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
    // One key is a folder in another key's path, or a name is too long for the file system.
    guard case .system(_, let code) = error.reason else { return false }
    return [ENAMETOOLONG, ENOTDIR, EISDIR, EEXIST].contains(code)
  default: return false
  }
}

/// A failed job's FailureReason: whose fault it is, and the message.
func failureReason(_ error: any Error, _ words: String = "") -> String {
  let sentence = (error as? ControlPlaneError)?.message ?? "\(error)"
  return (isOfCaller(error) ? "ClientError: " : "InternalServerError: ") + words + sentence
}
