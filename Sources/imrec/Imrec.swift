import ArgumentParser
import Encodings
import Files
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
        subcommands: [
          PredictCommand.self, TransformCommand.self, TrainCommand.self, TuneCommand.self,
          QuantizeCommand.self,
        ]),
      CommandGroup(name: "Score", subcommands: [ScoreCommand.self, CompareCommand.self]),
      CommandGroup(
        name: "Serve", subcommands: [HostCommand.self, ServeCommand.self, TransformJobCommand.self]),
      CommandGroup(name: "Tools", subcommands: [BenchCommand.self, SampleCommand.self]),
    ])

  static func main() async {
    let status = await runCancellably { await runOnce() }
    // Without the libraries' handlers: OpenBLAS's waits for its threads, which try for ever to get memory that there is not.
    fflush(nil)
    _exit(status)
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

extension ArgumentVisibility {
  /// The visibility of rarely used options, which only the long help lists.
  ///
  /// They are hidden only when the short help is requested, because the parser neither suggests nor completes hidden
  /// options.
  static let rare: ArgumentVisibility =
    CommandLine.arguments.dropFirst().first == "help"
      || CommandLine.arguments.contains(where: ["-h", "--help"].contains) ? .hidden : .default
}

/// The help of `imrec` itself, with one line for each verb, so that it fits a terminal of 80 x 24 characters.
enum RootHelp {
  /// Whether the arguments, without the program's name, request this help.
  static func isAskedFor(by arguments: [String]) -> Bool {
    [[], ["-h"], ["--help"], ["help"]].contains(arguments)
  }

  /// The error for a first word that is not a verb, with the most similar verb. `nil` for a verb or an option.
  static func unknownVerb(_ word: String) -> String? {
    let verbs = Imrec.configuration.groupedSubcommands.flatMap(\.subcommands).compactMap {
      $0.configuration.commandName
    }
    guard !word.hasBytePrefix("-"), word != "help", !verbs.contains(where: { hasSameBytes($0, word) }) else {
      return nil
    }
    let shown = Imrec.configuration.groupedSubcommands.flatMap(\.subcommands)
      .filter { $0.configuration.shouldDisplay }.compactMap { $0.configuration.commandName }
    let spelt = Array(word.lowercased().utf8.prefix(40))
    let near = verbs.map { (distance: editDistance(spelt, Array($0.utf8)), verb: $0) }
      .filter {
        $0.distance <= max(1, ($0.verb.utf8.count + 1) / 3)
          || !spelt.isEmpty && $0.verb.utf8.starts(with: spelt)
      }
      .min { ($0.distance, $0.verb) < ($1.distance, $1.verb) }
    return "Error: there is no verb '\(printable(String(word.prefix(40))))'"
      + (near.map { "; did you mean '\($0.verb)'?" } ?? "; the verbs are \(shown.joined(separator: ", "))")
      + "\n  See 'imrec --help' for more information.\n"
  }

  /// What stands below the help of the verb that the arguments name: how to see the options that it leaves out; `nil`
  /// where it has all of them.
  static func remark(for arguments: [String]) -> String? {
    var (verb, words): (any ParsableCommand.Type, String) = (Imrec.self, "imrec")
    for word in arguments {
      guard let next = verb.configuration.subcommands.first(where: { $0.configuration.commandName == word })
      else { continue }
      (verb, words) = (next, "\(words) \(word)")
    }
    let lineCounts = [false, true].map { verb.helpMessage(includeHidden: $0).split(separator: "\n").count }
    return lineCounts[0] < lineCounts[1]
      ? "Rare options are left out; '\(words) --help-hidden' has all of them.\n" : nil
  }

  static var text: String {
    let configuration = Imrec.configuration
    var lines = ["OVERVIEW: \(configuration.abstract)", configuration.discussion]
    for group in configuration.groupedSubcommands {
      var heading = group.name
      for verb in group.subcommands where verb.configuration.shouldDisplay {
        let name = verb.configuration.commandName ?? ""
        lines.append(padded(heading, 8) + padded(name, 11) + verb.configuration.abstract)
        heading = ""
      }
    }
    lines += [
      "'imrec <verb> --help' describes a verb, 'imrec --version' prints the version.",
      "Shell completions: imrec --generate-completion-script bash|zsh|fish",
    ]
    return lines.joined(separator: "\n") + "\n"
  }
}
