import ArgumentParser
import Files
import Terminal

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
      "", "'imrec <verb> --help' describes a verb, 'imrec --version' prints the version.",
      "Shell completions: imrec --generate-completion-script bash|zsh|fish",
    ]
    return lines.joined(separator: "\n") + "\n"
  }
}
