import Files

/// A parsed command line.
enum ParsedArguments: Equatable {
  case help
  case version
  case run(Options, warnings: [String])
}

/// Parses a command line as im2rec.py 1.9.1 does, or as the versions up to MXNet 1.0 did.
///
/// - Parameter arguments: without the program's name.
/// - Throws: `UsageError` for a command line that im2rec.py would refuse, and for values on which it would fail.
func parse(_ arguments: [String]) throws(UsageError) -> ParsedArguments {
  let tokens = try tokens(arguments)
  if tokens.contains(where: { if case .option(.help, _, nil) = $0 { true } else { false } }) { return .help }
  if tokens.contains(where: { if case .option(.version, _, nil) = $0 { true } else { false } }) {
    return .version
  }
  var parser = Parser()
  try parser.read(tokens, oldBooleans: false)
  if parser.positionals.count > 2 {
    // The old grammar, `--list True prefix root`, is tried only if there are too many words for the current one, so
    // that a prefix can still be called "1".
    var old = Parser()
    try old.read(tokens, oldBooleans: true)
    if old.positionals.count == 2 { parser = old }
  }
  return try parser.finish()
}

private struct Parser {
  var options = Options()
  var positionals: [String] = []
  var warnings: [String] = []
  var given: Set<Switch> = []

  mutating func read(_ tokens: [Token], oldBooleans: Bool) throws(UsageError) {
    var rest = tokens[...]
    while let token = rest.popFirst() {
      switch token {
      case .separator: continue
      case .value(let text): positionals.append(text)
      case .option(let option, let spelled, let attached):
        given.insert(option)
        switch option.arity {
        case .none:
          var word = attached
          if word == nil, oldBooleans, case .value(let next)? = rest.first, boolean(next) != nil {
            word = next
            rest.removeFirst()
          }
          try turn(option, spelled, word)
        case .one:
          if let attached {
            try set(option, attached)
          } else if case .value(let next)? = rest.first {
            rest.removeFirst()
            try set(option, next)
          } else {
            throw UsageError("\(option.spelling) needs a value after it")
          }
        case .oneOrMore:
          var values = attached.map { [$0] } ?? []
          while attached == nil, case .value(let next)? = rest.first {
            values.append(next)
            rest.removeFirst()
          }
          guard !values.isEmpty else {
            throw UsageError("\(option.spelling) needs one or more values after it")
          }
          guard !values.contains("") else {
            throw UsageError("\(option.spelling) takes extensions such as .jpg, not an empty one")
          }
          options.extensions = values
        }
      }
    }
  }

  /// Sets a flag, which may be followed by a boolean, as in older versions.
  private mutating func turn(_ option: Switch, _ spelled: String, _ word: String?) throws(UsageError) {
    var isOn = true
    if let word {
      guard let value = boolean(word) else {
        throw UsageError("\(option.spelling) takes no value, but is given '\(word)'")
      }
      isOn = value
      // The warning names the current spelling.
      let turnsShuffleOff = option == .shuffle ? !value : option == .noShuffle && value
      let today =
        switch option {
        case .shuffle, .noShuffle:
          turnsShuffleOff ? "write --no-shuffle" : "leave it out, lists are shuffled by default"
        default: value ? "write \(option.spelling)" : "leave it out"
        }
      warnings.append("'\(spelled) \(word)' is the spelling of MXNet 1.0 and older; now \(today)")
    } else if option == .shuffle {
      warnings.append(
        "'\(spelled)' is the spelling of MXNet 1.0 and older; leave it out, lists are shuffled by default")
    }
    switch option {
    case .list: options.list = isOn
    case .recursive: options.recursive = isOn
    case .shuffle: options.shuffle = isOn
    case .noShuffle: options.shuffle = !isOn
    case .passThrough: options.passThrough = isOn
    case .centerCrop: options.centerCrop = isOn
    case .packLabel: options.packLabel = isOn
    case .keepDamaged: options.keepDamaged = isOn
    case .strict: options.strict = isOn
    case .quiet: options.quiet = isOn
    default: throw UsageError("\(option.spelling) takes no value")
    }
  }

  private mutating func set(_ option: Switch, _ text: String) throws(UsageError) {
    switch option {
    case .chunks: options.chunks = try integer(option, text, in: 1...1_000_000)
    case .trainRatio: options.trainRatio = try ratio(option, text)
    case .testRatio: options.testRatio = try ratio(option, text)
    case .resize: options.resize = try integer(option, text, in: 0...1_000_000)
    case .quality: options.quality = try integer(option, text, in: Int(Int32.min)...Int(Int32.max))
    case .numThread:
      let count = try integer(option, text, in: Int(Int32.min)...Int(Int32.max))
      options.threads = min(max(count, 1), Options.threadLimit)
    case .color: options.color = try integer(option, text, in: -1...1)
    case .maxPixels: options.maximumPixelCount = try integer(option, text, in: 1...(1 << 40))
    case .encoding:
      guard let encoding = Options.Encoding(rawValue: text) else {
        let choices = Options.Encoding.allCases.map(\.rawValue).formatted
        throw UsageError("\(option.spelling) takes \(choices), not '\(text)'")
      }
      options.encoding = encoding
    default: throw UsageError("\(option.spelling) takes no value")
    }
  }

  consuming func finish() throws(UsageError) -> ParsedArguments {
    switch positionals.count {
    case 0:
      let cause =
        given.contains(.exts) ? ": --exts takes every word after it; write -- before the prefix" : ""
      throw UsageError("the prefix and the root folder are missing\(cause)")
    case 1:
      throw UsageError("the root folder is missing after the prefix '\(positionals[0])'")
    case 2: break
    default:
      let extra = positionals[2...].map { "'\($0)'" }.joined(separator: ", ")
      let cause =
        given.contains(.exts)
        ? "" : " after the prefix '\(positionals[0])' and the root '\(positionals[1])'"
      throw UsageError("unexpected arguments: \(extra)\(cause)")
    }
    options.prefix = positionals[0]
    options.root = positionals[1]
    if options.list { warnAboutLists() } else { warnAboutRecords() }
    return .run(options, warnings: warnings)
  }

  private mutating func warnAboutLists() {
    // im2rec.py compares extensions with the lower-case suffix, including the dot, so `jpg` and `.JPG` match no file.
    for (position, text) in options.extensions.enumerated() {
      let sound = (text.hasPrefix(".") ? text : "." + text).lowercased()
      guard sound != text else { continue }
      options.extensions[position] = sound
      warnings.append("--exts \(text) is read as \(sound); im2rec.py would find no file with '\(text)'")
    }
    let sum = options.trainRatio + options.testRatio
    if options.trainRatio == 1, options.testRatio > 0 {
      warnings.append("--test-ratio has no effect if --train-ratio is 1: all images are in one list")
    } else if sum > 1 {
      warnings.append(
        "--train-ratio and --test-ratio add up to \(sum), more than 1: the training list gets what is left")
    }
  }

  private mutating func warnAboutRecords() {
    if options.passThrough {
      let idle: [Switch] = [.resize, .centerCrop, .quality, .color, .encoding].filter(given.contains)
      if !idle.isEmpty {
        let names = idle.map(\.spelling).joined(separator: ", ")
        warnings.append(
          "\(names) \(idle.count > 1 ? "have" : "has") no effect: --pass-through keeps the files unchanged")
      }
    } else if given.contains(.quality), options.quality != options.effectiveQuality {
      warnings.append("--quality \(options.quality) is out of range; \(options.effectiveQuality) is used")
    }
  }
}

/// A boolean as older versions of im2rec.py accept it; `nil` for any other word.
private func boolean(_ word: String) -> Bool? {
  switch word.lowercased() {
  case "true", "1", "yes", "on": true
  case "false", "0", "no", "off": false
  default: nil
  }
}

/// Parses a whole number as Python's `int` does: with surrounding white space, a sign, and underscores between digits.
private func integer(_ option: Switch, _ text: String, in range: ClosedRange<Int>) throws(UsageError) -> Int {
  guard let plain = withoutUnderscores(text), let value = Int(plain) else {
    throw UsageError("\(option.spelling) takes a whole number, not '\(text)'")
  }
  guard range.contains(value) else {
    let sort =
      range.count <= 3
      ? range.map(String.init).formatted : "a number from \(range.lowerBound) to \(range.upperBound)"
    throw UsageError("\(option.spelling) takes \(sort), not \(value)")
  }
  return value
}

private func ratio(_ option: Switch, _ text: String) throws(UsageError) -> Double {
  // Unlike Python's float, Double accepts hexadecimal digits.
  guard let plain = withoutUnderscores(text), !plain.lowercased().contains("x"), let value = Double(plain)
  else { throw UsageError("\(option.spelling) takes a number, not '\(text)'") }
  guard (0...1).contains(value) else {
    throw UsageError("\(option.spelling) takes a share from 0 to 1, not \(text)")
  }
  return value
}

/// `text` without the white space and underscores that Python allows in numbers; `nil` if an underscore is misplaced.
private func withoutUnderscores(_ text: String) -> String? {
  let blanks: Set<Character> = [" ", "\t", "\n", "\r", "\u{b}", "\u{c}", "\r\n"]
  var plain = text[...]
  while let first = plain.first, blanks.contains(first) { plain.removeFirst() }
  while let last = plain.last, blanks.contains(last) { plain.removeLast() }
  let digits = Array(plain.utf8)
  for (position, byte) in digits.enumerated() where byte == UInt8(ascii: "_") {
    guard position > 0, position + 1 < digits.count, (48...57).contains(digits[position - 1]),
      (48...57).contains(digits[position + 1])
    else { return nil }
  }
  return plain.filter { $0 != "_" }
}

/// An argument as Python's argparse classifies it.
enum Token: Equatable {
  case value(String)
  /// The first `--`; options take no values after it.
  case separator
  /// `attached` is the text after the equals sign.
  case option(Switch, spelled: String, attached: String?)
}

/// Classifies arguments as values or options, as argparse of Python 3.11 does.
///
/// An option may be abbreviated to an unambiguous prefix. Negative numbers, arguments with a space, and everything
/// after `--` are values.
///
/// - Throws: `UsageError` for an unknown option and for an ambiguous prefix.
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

/// The option with exactly this spelling, otherwise all options that begin with it. Options of im2rec.py take
/// precedence over additional ones.
private func switches(startingWith spelled: String) -> [Switch] {
  if let exact = Switch.allCases.first(where: { $0.spelling == spelled }) { return [exact] }
  let matches = Switch.allCases.filter { $0.spelling.hasPrefix(spelled) }
  let original = matches.filter(\.isOriginal)
  return original.isEmpty ? matches : original
}

/// Whether an argument looks like `-5`, `-.5` or `-0.5`; argparse treats these as values, as no option looks like a
/// number.
private func isNegativeNumber(_ argument: String) -> Bool {
  let parts = argument.dropFirst().split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
  func isDigits(_ text: Substring) -> Bool { text.utf8.allSatisfy { (48...57).contains($0) } }
  guard parts.allSatisfy(isDigits), let last = parts.last else { return false }
  return !last.isEmpty
}

private func unknownOption(_ argument: String) -> UsageError {
  let name = Array(argument.drop { $0 == "-" }.prefix { $0 != "=" }.utf8)
  // Longer than any option; the edit distance of text pasted by mistake would take quadratic time.
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
