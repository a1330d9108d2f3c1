import Files
import Glibc
import Hyperparameters
import S3
import Tuning

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
