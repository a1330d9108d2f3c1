import ArgumentParser
import Terminal

/// The help of `imrec` itself: one line a verb, so that all of them fit one screen of 80 x 24.
enum RootHelp {
  /// Whether the arguments, without the program's name, ask for this help.
  static func isAskedFor(by arguments: [String]) -> Bool {
    [[], ["-h"], ["--help"], ["help"]].contains(arguments)
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
      "", "'imrec <verb> --help' tells all about a verb; 'imrec --version' the version.",
      "Completions for the shell: imrec --generate-completion-script bash|zsh|fish",
    ]
    return lines.joined(separator: "\n") + "\n"
  }
}
