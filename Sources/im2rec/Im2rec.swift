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

/// Does what the command line says.
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
    ? "stopped by \(interruptionName); no unfinished file has a final name" : "\(error)"
}

private func remedy(for error: any Error) -> String? {
  switch error {
  case let error as PackingError:
    if case .strict = error.reason {
      "--strict stops at the first such input; without it, it is skipped."
    } else {
      nil
    }
  case let error as FileError: remedy(for: error.reason)
  case let error as ScanError:
    if case .file(let cause) = error.reason { remedy(for: cause.reason) } else { nil }
  default: nil
  }
}

private func remedy(for reason: FileError.Reason) -> String? {
  switch reason {
  case .system(_, ENOSPC), .system(_, EDQUOT): "Make room and run the command again."
  case .system(_, EACCES), .system(_, EPERM): "Run as a user who may, or change the permissions (chmod)."
  case .system(_, EEXIST): "Move that file away, or choose another prefix."
  case .system(_, EIO), .system(_, ESTALE), .wentAway:
    "Nothing was replaced. Run the command again when it is back."
  case .inUse, .held: "Wait until it ends, or choose another prefix."
  default: nil
  }
}
