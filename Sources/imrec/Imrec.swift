import ArgumentParser
import Glibc
import Terminal

@main
struct Imrec: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "From image folders to accuracy reports, on one machine.",
    discussion: """
      USAGE: imrec <verb> ...    EXAMPLE: imrec convert photos/ caltech --resize 256
      EXIT STATUS: 0 done · 1 failed · 2 some skipped · 3 gate failed · 64 wrong usage
      """,
    version: programVersion,
    groupedSubcommands: [
      CommandGroup(
        name: "Data",
        subcommands: [
          ConvertCommand.self, ListCommand.self, PackCommand.self, InfoCommand.self, VerifyCommand.self,
          ExtractCommand.self, MergeCommand.self, TensorsCommand.self,
        ]),
      CommandGroup(
        name: "Model",
        subcommands: [PredictCommand.self, TransformCommand.self, TrainCommand.self, TuneCommand.self]),
      CommandGroup(name: "Score", subcommands: [ScoreCommand.self, CompareCommand.self]),
      CommandGroup(
        name: "Serve", subcommands: [HostCommand.self, ServeCommand.self, TransformJobCommand.self]),
      CommandGroup(name: "Tools", subcommands: [BenchCommand.self, SampleCommand.self]),
    ])

  static func main() async {
    Glibc.exit(await runCancellably { await runOnce() })
  }

  private static func runOnce() async -> Int32 {
    if RootHelp.isAskedFor(by: Array(CommandLine.arguments.dropFirst())) {
      return writeToOutput(RootHelp.text) ? ExitStatus.done : ExitStatus.failed
    }
    if let word = CommandLine.arguments.dropFirst().first, let usage = RootHelp.unknownVerb(word) {
      writeToErrorOutput(usage)
      return ExitStatus.wrongUsage
    }
    do {
      var command = try parseAsRoot(withDashes(Array(CommandLine.arguments.dropFirst())))
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
      return ExitStatus.done
    } catch let code as ExitCode {
      return code.rawValue
    } catch {
      return report(error)
    }
  }

  /// Writes the error and its remedy to stderr.
  ///
  /// - Returns: the exit status.
  static func report(_ error: any Error) -> Int32 {
    if let error = error as? WrongUsage {
      writeToErrorOutput("Error: \(printable(error.sentence))\n  See 'imrec \(error.verb) --help'.\n")
      return ExitStatus.wrongUsage
    }
    let usage = exitCode(for: error)
    // The parser's own exits: help, version, wrong usage.
    if usage == .success || usage == .validationFailure {
      let text = fullMessage(for: error)
      if usage == .success {
        let remark = RootHelp.remark(for: Array(CommandLine.arguments.dropFirst())) ?? ""
        return writeToOutput(text + "\n" + remark) ? ExitStatus.done : ExitStatus.failed
      }
      writeToErrorOutput(text + "\n")
      return usage.rawValue
    }
    let failure = Failure(error)
    writeToErrorOutput("imrec: \(printable(failure.sentence))\n")
    if let remedy = failure.remedy { writeToErrorOutput("  \(remedy)\n") }
    return ExitStatus.failed
  }
}
