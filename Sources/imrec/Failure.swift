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

/// An error as the user reads it: a sentence that says what is wrong, and a remedy.
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
        case .label: "Name it with --label-attribute or, in the request of a job, with AttributeNames."
        case .permission:
          "Use --resume to continue that training, --overwrite to replace it, or choose another folder."
        case .model: "Name it with --model or, in a container, with the channel 'model'."
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
      sentence = "stopped by \(interruptionName); no incomplete file was left under its final name"
      remedy = "Finished work is kept in .partial files; verbs that have --resume continue from there."
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
      "An index holds no labels; name the .rec or .lst file beside it."
    case .unknownFormat:
      "Each line needs a path and a label, such as a/1.jpg,3; the suffix names the format: .lst, .rec, .csv, .jsonl."
    case .encoding, .notUTF8: "Save it as UTF-8, for example: iconv -f latin1 -t utf-8 FILE"
    case .emptyClassName, .repeatedClass:
      "Name each class of the model once, one per line, in the order used for training."
    case .noColumn, .repeatedColumn:
      "Name the columns with --image-column NAME --label-column NAME, or in the first row: path,label"
    case .severalLabels: "Say which one is meant with --label-column NAME."
    case .unknownHeader:
      "If the first row names the columns, select two of them with --image-column NAME --label-column NAME; if it is an image, insert the row path,label before it."
    case .manySeparators:
      "Name the columns in the first row, for example path,label, with the file's separator."
    case .noColumns: "Omit --image-column and --label-column."
    case .badGroup: "Each row needs a class (its name or label) and its group: dog,pets"
    default: nil
    }
  }

  private static func remedy(_ error: OutputError) -> String? {
    switch error.reason {
    case .file(let failure): remedy(failure.reason)
    case .orderUnknown, .orderMeansNothing: "Add a \"path\" to each line, spelt as in the truth."
    case .noPrediction, .unclearTable:
      "Each line must be JSON such as {\"path\": \"a/1.jpg\", \"prediction\": [0.1, 0.9]}; a table needs the column path and either one column per class or predicted_label."
    case .brokenArray, .otherKind: nil
    }
  }

  private static func remedy(_ reason: FileError.Reason) -> String? {
    switch reason {
    case .system(_, ENOSPC), .system(_, EDQUOT):
      "Free some disk space and run the command again; verbs that have --resume can continue with it."
    case .system(_, EACCES), .system(_, EPERM):
      "Run the command as a user with access, or change the permissions (chmod)."
    case .system(_, EMFILE): "Allow more open files (ulimit -n 4096), or use fewer --jobs or --folds."
    case .noFolder(let folder): "Create the folder first: mkdir -p \(folder)"
    case .system(_, EEXIST): "Move that file away, or choose another name."
    case .system(_, EIO), .system(_, ENODEV), .system(_, ENXIO), .system(_, ESTALE), .system(_, ENOTCONN):
      "Nothing was replaced. Run the command again when the disk or file server works."
    case .system(_, ENOMEM): "Close other programs, or use fewer --jobs."
    case .system(_, EROFS): "Choose an output on a writable disk."
    case .system(_, ENAMETOOLONG): "Choose a shorter name."
    case .wentAway: "Nothing was replaced. Run the command again when the folder is back."
    case .inUse: "Wait until the other process ends, or choose another output name."
    case .held:
      "Wait until the other process ends, or choose another output (for imrec serve: another --root)."
    default: nil
    }
  }

  private static func remedy(_ error: PackingError) -> String? {
    switch error.reason {
    case .strict:
      "--strict stops at the first such input. Without it, the input is skipped and counted; --resume continues from here."
        + (sizeRemedy([error.description]).map { " " + $0 + "." } ?? "")
    case .layout: "Without --strict, this is only a warning."
    case .parts: "To join the files anyway, use --unchecked."
    case .repeatedID: "Use --renumber to give the records new ids."
    case .contradiction: nil
    }
  }

  private static func remedy(_ error: TuningError) -> String? {
    switch error.lack {
    case .copy(let place): "Download it first, for example: aws s3 cp --recursive \(place) data/"
    case .end: "Finish it first: imrec tune REQUEST --output FOLDER --resume"
    case .request: "Choose another --output, or use the same request as before."
    case .permission: "Use --resume to continue it, or choose another --output."
    case nil: nil
    }
  }

  private static func remedy(_ error: FitError) -> String? {
    switch error.reason {
    case .diverged(_, _, let learningRate, _):
      "Lower learning_rate (for example to \(shortText(learningRate / 10))), start with warmup_epochs, or change the "
        + "optimizer. A larger mini_batch_size also makes training more stable."
    case .otherTraining:
      "Use the same values as before, choose another --checkpoint-dir, or leave --resume out."
    case .badCheckpoint: "Remove the file to start the training over."
    case .unwritten:
      "Free some disk space, then run the command with --resume to continue after the last checkpoint."
    case .contradiction: nil
    }
  }

  private static func remedy(_ error: SplitError) -> String? {
    guard case .smallClasses(_, let classes) = error.reason,
      let least = classes.map(\.imageCount).min()
    else { return nil }
    let fewer = least > 1 ? "Use --per-class \(least - 1) or less, leave" : "Leave"
    return "\(fewer) small classes out with --exclude, or keep them with --allow-small-classes."
  }

  private static func remedy(_ error: RecordError) -> String? {
    switch error.reason {
    case .file(let failure): return remedy(failure.reason)
    case .otherKind where error.path.hasByteSuffix(".lst"):
      return "Pack it first: imrec pack \(error.path) ROOT"
    case .otherKind where error.path.hasByteSuffix(".idx"): return "Name the .rec file beside it."
    case .otherKind: return nil
    default: break
    }
    return
      "imrec verify \(error.path) finds every damaged record; --salvage OUT.rec keeps the intact ones."
  }
}
