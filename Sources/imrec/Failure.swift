import Files
import Glibc
import Hyperparameters
import Imaging
import Models
import Packing
import Predictions
import Records
import Terminal
import Training
import Tuning

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
    case let error as InputError:
      sentence = error.description
      remedy = sizeRemedy([error.description]).map { $0 + "." }
    case let error as PackingError:
      sentence = error.description
      remedy = Self.remedy(error)
    case let error as TruthError:
      sentence = error.description
      remedy = Self.remedy(error)
    case let error as OutputError:
      sentence = error.description
      remedy = Self.remedy(error)
    case let error as ScanError:
      sentence = error.description
      remedy = if case .file(let failure) = error.reason { Self.remedy(failure.reason) } else { nil }
    case let error as SplitError:
      sentence = error.description
      remedy = Self.remedy(error)
    case let error as ModelError:
      sentence = error.description
      remedy = nil
    case let error as TrainingError:
      sentence = error.description
      remedy =
        switch error.lack {
        case .label: "Name it with --label-attribute; in a job's request, AttributeNames does."
        case .permission:
          "With --resume the training there goes on, with --overwrite it is replaced; or choose another folder."
        case .model: "Name it with --model; in a container, the channel 'model' has it."
        case nil: nil
        }
    case let error as TuningError:
      sentence = error.description
      remedy = Self.remedy(error)
    case let error as FitError:
      sentence = error.description
      remedy = Self.remedy(error)
    case let error as UnusableLaunch:
      sentence = error.sentence
      remedy = error.remedy
    case let error as StoppedRun:
      sentence = "stopped by \(interruptionName)"
      remedy = error.remedy
    case is CancellationError:
      sentence = "stopped by \(interruptionName); no unfinished file has a final name"
      remedy = "What is done stands in .partial files: --resume goes on from there, where the verb has it."
    default:
      sentence = "\(error)"
      remedy = nil
    }
  }

  private static func remedy(_ error: TruthError) -> String? {
    switch error.reason {
    case .file(let failure): remedy(failure.reason)
    case .records(let failure): remedy(failure)
    case .unknownFormat where error.path.hasSuffix(".idx"):
      "An index has no labels: name the .rec or the .lst beside it."
    case .unknownFormat:
      "Each line needs a path and a label, such as a/1.jpg,3; the ending says the format: .lst, .rec, .csv, .jsonl."
    case .encoding, .notUTF8: "Save it as UTF-8, for example: iconv -f latin1 -t utf-8 FILE"
    case .emptyClassName, .repeatedClass:
      "Each class of the model stands once, one a line, in the order of training."
    case .noColumn, .repeatedColumn:
      "Say which columns hold what: --image-column NAME --label-column NAME; or name them in the first row: path,label"
    case .unknownHeader:
      "If it names the columns, say which hold what: --image-column NAME --label-column NAME; if it is an image, put the row path,label in front."
    case .manySeparators: "Name the columns in the first row, such as path,label with the separator between."
    case .noColumns: "Leave --image-column and --label-column out."
    case .badGroup: "Each row is a class, by name or label, and its group: dog,pets"
    default: nil
    }
  }

  private static func remedy(_ error: OutputError) -> String? {
    switch error.reason {
    case .file(let failure): remedy(failure.reason)
    case .orderUnknown, .orderMeansNothing: "Give each line a \"path\", as the truth has it."
    case .noPrediction, .unclearTable:
      "A line is JSON such as {\"path\": \"a/1.jpg\", \"prediction\": [0.1, 0.9]}; a table has the header path and a column for each class, or path,predicted_label."
    case .brokenArray, .otherKind: nil
    }
  }

  private static func remedy(_ reason: FileError.Reason) -> String? {
    switch reason {
    case .system(_, ENOSPC), .system(_, EDQUOT):
      "Make room and run the command again; with --resume it goes on where it stopped, where the verb has it."
    case .system(_, EACCES), .system(_, EPERM): "Run as a user who may, or change the permissions (chmod)."
    case .system(_, EMFILE): "Allow more open files (ulimit -n 4096), or use fewer --jobs or --folds."
    case .noFolder(let folder): "Make it first: mkdir -p \(folder)"
    case .system(_, EEXIST): "Move that file away, or choose another name."
    case .system(_, EIO), .system(_, ENODEV), .system(_, ENXIO), .system(_, ESTALE), .system(_, ENOTCONN):
      "Nothing was replaced. Run the command again when the disk or the file server is well."
    case .system(_, ENOMEM): "Close other programs, or use fewer --jobs."
    case .system(_, EROFS): "Choose an output on a disk that can be written to."
    case .system(_, ENAMETOOLONG): "Choose a shorter name."
    case .wentAway: "Nothing was replaced. Run the command again when the folder is back."
    case .inUse: "Wait until it ends, or choose another output name."
    case .held: "Wait until it ends, or choose another output; of imrec serve another --root."
    default: nil
    }
  }

  private static func remedy(_ error: PackingError) -> String? {
    switch error.reason {
    case .strict:
      "--strict stops at the first such input; without it, it is skipped and counted. --resume goes on here."
        + (sizeRemedy([error.description]).map { " " + $0 + "." } ?? "")
    case .layout: "Without --strict that is a warning."
    case .parts: "Where the files are meant to be joined all the same: --unchecked."
    case .repeatedID: "--renumber gives the records new ids."
    case .contradiction: nil
    }
  }

  private static func remedy(_ error: TuningError) -> String? {
    switch error.lack {
    case .copy(let place): "Download it first, for example: aws s3 cp --recursive \(place) data/"
    case .end: "Finish it: imrec tune REQUEST --output FOLDER --resume"
    case .request: "Choose another --output, or use the original request."
    case .permission: "With --resume it goes on; or choose another --output."
    case nil: nil
    }
  }

  private static func remedy(_ error: FitError) -> String? {
    switch error.reason {
    case .diverged(_, _, let learningRate, _):
      "Lower learning_rate (to \(shortText(learningRate / 10)), say), begin with warmup_epochs, or change the "
        + "optimizer; a larger mini_batch_size is steadier, too."
    case .otherTraining:
      "Give the same values again, or another folder for the checkpoints, or leave --resume out."
    case .badCheckpoint: "Remove it to begin anew."
    case .unwritten: "Make room; with --resume the training goes on after its last checkpoint."
    case .contradiction: nil
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
    switch error.reason {
    case .file(let failure): return remedy(failure.reason)
    case .otherKind where error.path.hasByteSuffix(".lst"):
      return "imrec pack \(error.path) ROOT makes records of it."
    case .otherKind where error.path.hasByteSuffix(".idx"): return "Name the .rec beside it."
    case .otherKind: return nil
    default: break
    }
    return
      "imrec verify \(error.path) finds every damaged record; with --salvage OUT.rec it keeps the whole ones."
  }
}
