import Encodings
import Files
import Glibc
import Packing
import Records
import Terminal

@main
struct Im2rec {
  static func main() async {
    let arguments = Array(CommandLine.arguments.dropFirst())
    exit(await runCancellably { await run(arguments, console: .standard) })
  }
}

/// Parses and runs a command line.
///
/// - Returns: the exit status.
func run(_ arguments: [String], console: Console) async -> Int32 {
  do {
    switch try parse(arguments) {
    case .help:
      console.data(helpText)
      return ExitStatus.done
    case .version:
      console.data(programVersion + "\n")
      return ExitStatus.done
    case .run(let options, let warnings):
      for warning in warnings { console.warn(warning) }
      return options.list ? try makeLists(options, console) : try await makeRecords(options, console)
    }
  } catch let error as UsageError {
    console.fail(error.description, remedy: "im2rec --help shows all options.")
    return ExitStatus.wrongUsage
  } catch {
    console.fail(sentence(of: error), remedy: remedy(for: error))
    return ExitStatus.failed
  }
}

private func sentence(of error: any Error) -> String {
  error is CancellationError
    ? "stopped by \(interruptionName); no incomplete file was left under its final name" : "\(error)"
}

private func remedy(for error: any Error) -> String? {
  switch error {
  case let error as PackingError:
    if case .strict = error.reason {
      "--strict stops at the first such input; without it, the input is skipped."
    } else {
      sizeRemedy([error.description])
    }
  case let error as FileError: remedy(for: error.reason)
  case let error as ScanError:
    if case .file(let cause) = error.reason { remedy(for: cause.reason) } else { nil }
  default: nil
  }
}

private func remedy(for reason: FileError.Reason) -> String? {
  switch reason {
  case .system(_, ENOSPC), .system(_, EDQUOT): "Free some disk space and run the command again."
  case .system(_, EACCES), .system(_, EPERM):
    "Run the command as a user with access, or change the permissions (chmod)."
  case .system(_, EEXIST): "Move that file away, or choose another prefix."
  case .system(_, EIO), .system(_, ESTALE), .wentAway:
    "Nothing was replaced. Run the command again when the disk or folder is back."
  case .inUse, .held: "Wait until the other process ends, or choose another prefix."
  default: nil
  }
}

/// The output streams: one for data, one for messages to the user.
struct Console: Sendable {
  let data: @Sendable (String) -> Void
  /// Takes one line at a time, without its end.
  let words: @Sendable (String) -> Void

  /// The process's own standard output and standard error.
  static let standard = Console(
    data: { writeToOutput($0) }, words: { writeToErrorOutput($0 + "\n") })

  func warn(_ sentence: String) { words("warning: " + printable(sentence)) }

  /// - Parameter remedy: a sentence that says what the user can do.
  func fail(_ sentence: String, remedy: String? = nil) {
    words("im2rec: " + printable(sentence) + (remedy.map { "\n  " + $0 } ?? ""))
  }

  /// Reports an input that was left out.
  func skip(_ path: String, _ reason: String) { words("skipped: \(printable(path)): \(printable(reason))") }

  /// Reports an input that was packed but may be damaged.
  func doubt(_ path: String, _ reason: String) { words("doubtful: \(printable(path)): \(printable(reason))") }
}

/// The text of `--help`: every option with its default, at most 80 columns wide.
let helpText = """
  OVERVIEW: Make image lists, or pack the images of a list into a RecordIO file.
  A drop-in for im2rec.py of MXNet 1.9.1: the same options, the same bytes.

  USAGE: im2rec --list [list options] <prefix> <root>
         im2rec [record options] <prefix> <root>

  EXAMPLE: im2rec --list --recursive --train-ratio 0.9 pets photos/
           im2rec --resize 256 --quality 95 --num-thread 4 pets photos/

    <prefix>            Prefix of the .lst, .rec and .idx files. Every list whose
                        name starts with it is packed; if it is a folder, every
                        list in it.
    <root>              The folder that holds the images.

  LIST OPTIONS
    --list              Write <prefix>.lst, and print each folder's label.
    --exts <.e> ...     Extensions of images. (default: .jpeg .jpg .png)
    --recursive         One label for each folder. (default: only files in
                        root, label 0)
    --no-shuffle        Keep the order of the folders. (default: shuffled, the
                        same way every time)
    --chunks <count>    Write this many lists. (default: 1)
    --train-ratio <0-1> Share for <prefix>_train.lst; the rest goes to _val.
                        (default: 1, one list)
    --test-ratio <0-1>  Share for <prefix>_test.lst. (default: 0)

  RECORD OPTIONS
    --resize <pixels>   Resize the shorter side to this. (default: 0, keep the
                        size)
    --center-crop       Crop the center square before resizing.
    --quality <1-100>   JPEG quality; for PNG the compression, 0-9. (default: 95)
    --encoding <format> .jpg or .png (default: .jpg)
    --color <mode>      1 colour, 0 grey, -1 as stored. (default: 1)
    --pass-through      Keep each file's bytes; the options above have no
                        effect. Checks the header and the end of a JPEG, not the
                        data between.
    --pack-label        Keep all labels of a line. (default: the first)
    --num-thread <n>    Images processed at once; does not change the output.
                        (default: 1)

  NOT IN IM2REC.PY
    --keep-damaged      Pack what can be read of damaged images, as im2rec.py
                        does. (default: skip and report them)
    --strict            Stop at the first image that is unreadable or doubtful.
    --max-pixels <n>    Refuse larger images. (default: 178956970)
    --quiet             No progress.
    -h, --help          Show this text.
    --version           Show the version.

  Options may be abbreviated if that is unambiguous: --rec for --recursive. The
  old spellings (--list True, --shuffle 1) are accepted, with a warning.

  EXIT STATUS: 0 all done · 1 failed, no output left incomplete · 2 done, some
  images skipped · 64 wrong usage

  """

/// The absolute path without `.`, `..` and double slashes. Like Python's `os.path.abspath`, it does not resolve links.
func absolutePath(_ path: String, from workingFolder: String = workingFolder()) -> String {
  let whole = join(workingFolder, path)
  var parts: [String] = []
  for bytes in whole.utf8.split(separator: UInt8(ascii: "/")) {
    let part = String(Substring(bytes))
    if part == "." { continue }
    if part != ".." {
      parts.append(part)
    } else if !parts.isEmpty {
      parts.removeLast()
    }
  }
  // POSIX leaves the meaning of exactly two leading slashes to the implementation, so Python keeps them.
  let slashes = whole.hasBytePrefix("//") && !whole.hasBytePrefix("///") ? "//" : "/"
  return slashes + parts.joined(separator: "/")
}

/// The current working directory; "/" if it cannot be determined.
func workingFolder() -> String {
  guard let path = unsafe getcwd(nil, 0) else { return "/" }
  defer { unsafe free(path) }
  return unsafe String(cString: path)
}

/// Whether `path` names a regular file; symbolic links are followed.
func isRegularFile(_ path: String) -> Bool {
  var info = stat()
  return unsafe stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
}
