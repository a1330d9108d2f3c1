import Files
import Glibc
import Imaging
import Pipelines
import Records
import Terminal

/// An error as the user reads it: what is wrong, and what to do.
struct Failure {
  let sentence: String
  let remedy: String?

  init(_ error: any Error) {
    switch error {
    case let error as FileError:
      sentence = error.description
      remedy = Self.remedy(error.reason)
    case let error as RecordError:
      sentence = error.description
      remedy = Self.remedy(error)
    case let error as PipelineError:
      sentence = error.description
      remedy =
        if case .strict = error.reason {
          "--strict stops at the first such input; without it, it is skipped and counted. --resume goes on here."
        } else { nil }
    case let error as SplitError:
      sentence = error.description
      remedy = Self.remedy(error)
    case is CancellationError:
      sentence = "stopped by \(interruptionName); no unfinished file has a final name"
      remedy = "What is done stands in .partial files: --resume goes on from there, where the verb has it."
    default:
      sentence = "\(error)"
      remedy = nil
    }
  }

  private static func remedy(_ reason: FileError.Reason) -> String? {
    switch reason {
    case .system(_, ENOSPC), .system(_, EDQUOT):
      "Make room and run the command again; with --resume it goes on where it stopped, where the verb has it."
    case .system(_, EACCES), .system(_, EPERM): "Run as a user who may, or change the permissions (chmod)."
    case .system(_, EMFILE): "Allow more open files (ulimit -n 4096), or use fewer --jobs or --folds."
    case .noFolder(let folder): "Make it first: mkdir -p \(folder)"
    case .inUse: "Wait until it ends, or choose another output name."
    default: nil
    }
  }

  private static func remedy(_ error: SplitError) -> String? {
    guard case .smallClasses(_, let classes) = error.reason,
      let least = classes.map(\.imageCount).min()
    else { return nil }
    let fewer = least > 1 ? "Use --per-class \(least - 1) or less; or leave" : "Leave"
    return "\(fewer) small classes out with --exclude; or keep them with --allow-small-classes."
  }

  private static func remedy(_ error: RecordError) -> String? {
    if case .file(let failure) = error.reason { return remedy(failure.reason) }
    return
      "imrec verify \(error.path) finds every damaged record; with --salvage OUT.rec it keeps the whole ones."
  }
}
