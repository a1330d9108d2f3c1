import Files

/// One argument as Python's argparse sees it.
enum Token: Equatable {
  case value(String)
  /// The first `--`: an option takes no value beyond it.
  case separator
  /// `attached` is what follows the equals sign.
  case option(Switch, spelled: String, attached: String?)
}

/// Sorts arguments into values and options, as argparse of Python 3.11 does.
///
/// Unambiguous prefixes stand for an option; a negative number and an argument with a space are values;
/// everything after `--` is a value.
/// - Throws: an unknown option, or a prefix of several.
func tokens(_ arguments: [String]) throws(UsageError) -> [Token] {
  var result: [Token] = []
  for (position, argument) in arguments.enumerated() {
    if argument == "--" {
      result.append(.separator)
      result += arguments[(position + 1)...].map(Token.value)
      break
    }
    result.append(try token(argument))
  }
  return result
}

private func token(_ argument: String) throws(UsageError) -> Token {
  guard argument.utf8.first == UInt8(ascii: "-"), argument != "-" else { return .value(argument) }
  if argument == "-h" { return .option(.help, spelled: argument, attached: nil) }
  if argument.hasPrefix("--") {
    let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let spelled = String(parts[0])
    let attached = parts.count > 1 ? String(parts[1]) : nil
    let matches = switches(startingWith: spelled)
    if matches.count > 1 {
      let names = matches.map(\.spelling).formatted
      throw UsageError("\(spelled) is ambiguous: it could be \(names)")
    }
    if let match = matches.first { return .option(match, spelled: spelled, attached: attached) }
  }
  if isNegativeNumber(argument) || argument.utf8.contains(UInt8(ascii: " ")) { return .value(argument) }
  throw unknownOption(argument)
}

/// The option of exactly this spelling, or all it is a prefix of; im2rec.py's own come before those added here.
private func switches(startingWith spelled: String) -> [Switch] {
  if let exact = Switch.allCases.first(where: { $0.spelling == spelled }) { return [exact] }
  let matches = Switch.allCases.filter { $0.spelling.hasPrefix(spelled) }
  let original = matches.filter(\.isOriginal)
  return original.isEmpty ? matches : original
}

/// `-5`, `-.5`, `-0.5`: values for argparse, since no option looks like one.
private func isNegativeNumber(_ argument: String) -> Bool {
  let parts = argument.dropFirst().split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
  func isDigits(_ text: Substring) -> Bool { text.utf8.allSatisfy { (48...57).contains($0) } }
  guard parts.allSatisfy(isDigits), let last = parts.last else { return false }
  return !last.isEmpty
}

private func unknownOption(_ argument: String) -> UsageError {
  let name = Array(argument.drop { $0 == "-" }.prefix { $0 != "=" }.utf8)
  // No option is longer; what a user pasted by mistake must not cost quadratic time.
  let near =
    name.count > 32
    ? nil
    : Switch.allCases
      .map { (option: $0, distance: editDistance(name, Array($0.rawValue.utf8))) }
      .min { $0.distance < $1.distance }
  guard let near, near.distance <= 2, near.distance < near.option.rawValue.utf8.count / 2 else {
    return UsageError("there is no option \(argument)")
  }
  return UsageError("there is no option \(argument); did you mean \(near.option.spelling)?")
}

extension [String] {
  /// "a, b or c"
  var formatted: String {
    guard let last, count > 1 else { return first ?? "" }
    return dropLast().joined(separator: ", ") + " or " + last
  }
}
