/// The syntax tree of a pattern.
indirect enum PatternNode {
  case set(ScalarSet)
  case check(Assertion)
  /// A group; without a number it does not capture.
  case group(PatternNode, number: Int?)
  case sequence([PatternNode])
  case choice([PatternNode])
  case repetition(PatternNode, least: Int, most: Int?, isLazy: Bool)
}

/// Parses Python's syntax of regular expressions.
struct PatternParser {
  private let text: [Unicode.Scalar]
  private var place = 0
  private var depth = 0
  private var flags = Flags()
  private(set) var groupCount = 0

  private struct Flags {
    var ignoresCase = false, dotTakesAll = false, isMultiline = false
  }
  private static let deepest = 100

  init(_ pattern: String) { text = Array(pattern.unicodeScalars) }

  private var next: Unicode.Scalar? { place < text.count ? text[place] : nil }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard next == scalar else { return false }
    place += 1
    return true
  }

  private func error(_ words: String, at place: Int? = nil) -> LinePatternError {
    LinePatternError(description: "at character \((place ?? self.place) + 1): \(words)")
  }

  mutating func parse() throws(LinePatternError) -> PatternNode {
    while hasFlags(at: place), let end = text[place...].firstIndex(of: ")") {
      guard let found = flagSet(text[(place + 2)..<end]) else { break }
      flags = found
      place = end + 1
    }
    let root = try choice()
    if next != nil { throw error("a ) without its (") }
    return root
  }

  private mutating func choice() throws(LinePatternError) -> PatternNode {
    depth += 1
    guard depth <= Self.deepest else { throw error("groups are nested more than \(Self.deepest) deep") }
    defer { depth -= 1 }
    var branches = [try sequence()]
    while take("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .choice(branches)
  }

  private mutating func sequence() throws(LinePatternError) -> PatternNode {
    var parts: [PatternNode] = []
    while let scalar = next, scalar != "|", scalar != ")" {
      let start = place
      let part = try atom()
      parts.append(try repeated(part, from: start))
    }
    return .sequence(parts)
  }

  // MARK: Repetition

  private mutating func repeated(_ node: PatternNode, from start: Int) throws(LinePatternError) -> PatternNode
  {
    guard let (least, most) = try quantifier() else { return node }
    if case .check = node {
      throw error("nothing that can be repeated stands before the quantifier", at: start)
    }
    let isLazy = take("?")
    if !isLazy, take("+") {
      throw error("possessive quantifiers, such as a++, are not supported", at: place - 1)
    }
    let end = place
    if try quantifier() != nil { throw error("a quantifier after a quantifier", at: end) }
    return .repetition(node, least: least, most: most, isLazy: isLazy)
  }

  private mutating func quantifier() throws(LinePatternError) -> (least: Int, most: Int?)? {
    if take("*") { return (0, nil) }
    if take("+") { return (1, nil) }
    if take("?") { return (0, 1) }
    let start = place
    guard take("{"), next != "}" else {
      place = start
      return nil
    }
    let least = digits()
    let most = take(",") ? digits() : least
    guard take("}") else {
      // A brace that is not a quantifier stands for itself.
      place = start
      return nil
    }
    guard let low = least.isEmpty ? 0 : Int(least), let high = most.isEmpty ? Int.max : Int(most),
      low <= 1000, most.isEmpty || high <= 1000
    else { throw error("a repetition of more than 1000 times", at: start) }
    guard low <= high else { throw error("a repetition with more at least than at most", at: start) }
    return (low, most.isEmpty ? nil : high)
  }

  private mutating func digits() -> String {
    var digits = ""
    while let scalar = next, ("0"..."9").contains(scalar) {
      digits.unicodeScalars.append(scalar)
      place += 1
    }
    return digits
  }

  // MARK: Atoms

  private mutating func atom() throws(LinePatternError) -> PatternNode {
    let start = place
    guard let scalar = next else { throw error("something is expected here") }
    switch scalar {
    case "(": return try group()
    case "[": return .set(try set())
    case ".":
      place += 1
      var set = ScalarSet(isNegated: true)
      if !flags.dotTakesAll { set.insert(10...10) }
      set.finish()
      return .set(set)
    case "^":
      place += 1
      return .check(flags.isMultiline ? .lineStart : .start)
    case "$":
      place += 1
      return .check(flags.isMultiline ? .lineEnd : .end)
    case "*", "+", "?": throw error("nothing stands before the quantifier")
    case "{":
      if try quantifier() != nil { throw error("nothing stands before the quantifier", at: start) }
      fallthrough
    default:
      if scalar == "\\", let assertion = assertion() { return .check(assertion) }
      var set = ScalarSet(ignoresCase: flags.ignoresCase)
      try member(inClass: false).insert(into: &set)
      set.finish()
      return .set(set)
    }
  }

  private mutating func assertion() -> Assertion? {
    guard place + 1 < text.count else { return nil }
    let assertion: Assertion
    switch text[place + 1] {
    case "b": assertion = .wordEdge
    case "B": assertion = .noWordEdge
    case "A": assertion = .start
    case "Z", "z": assertion = .veryEnd
    default: return nil
    }
    place += 2
    return assertion
  }

  private mutating func group() throws(LinePatternError) -> PatternNode {
    let start = place
    place += 1
    let outer = flags
    defer { flags = outer }
    var captures = true
    if take("?") {
      captures = try groupKind(start)
    }
    var number: Int?
    if captures {
      groupCount += 1
      number = groupCount
    }
    let inner = try choice()
    guard take(")") else { throw error("a ( without its )", at: start) }
    return .group(inner, number: number)
  }

  /// Parses what follows `(?`.
  ///
  /// - Returns: whether the group captures.
  private mutating func groupKind(_ start: Int) throws(LinePatternError) -> Bool {
    if take(":") { return false }
    let rest = text[place...]
    for (words, marks) in [
      ("lookaheads, (?=...) and (?!...),", ["=", "!"]),
      ("lookbehinds, (?<=...) and (?<!...),", ["<=", "<!"]),
      ("backreferences, (?P=name),", ["P=", "P>"]), ("atomic groups, (?>...),", [">"]),
      ("conditions, (?(1)...),", ["("]),
    ]
    where marks.contains(where: { rest.starts(with: $0.unicodeScalars) }) {
      throw error(
        "\(words) are not supported: they cannot be matched in bounded time", at: start)
    }
    _ = take("P")
    if take("<") {
      let name = text[place...].prefix { $0 != ">" && ScalarSet.Kind.word.contains($0) }
      place += name.count
      guard !name.isEmpty, take(">") else {
        throw error("a group's name, such as (?P<value>...), is expected", at: start)
      }
      return true
    }
    if hasFlags(at: start), let end = rest.firstIndex(where: { $0 == ":" || $0 == ")" }), text[end] == ":",
      let found = flagSet(rest[..<end])
    {
      flags = found
      place = end + 1
      return false
    }
    throw error(
      "a group of this kind is not supported; (...), (?:...), (?P<name>...) are, and (?i) at the start",
      at: start)
  }

  private func hasFlags(at place: Int) -> Bool {
    place + 2 < text.count && text[place] == "(" && text[place + 1] == "?"
      && ("a"..."z").contains(text[place + 2])
  }

  /// The current flags and these; nil where a letter is not a known flag.
  private func flagSet(_ letters: ArraySlice<Unicode.Scalar>) -> Flags? {
    var flags = flags
    for letter in letters {
      switch letter {
      case "i": flags.ignoresCase = true
      case "s": flags.dotTakesAll = true
      case "m": flags.isMultiline = true
      case "u": break
      default: return nil
      }
    }
    return flags
  }

  // MARK: Sets

  private enum Member {
    case scalar(UInt32)
    case kind(ScalarSet.Kind, isNegated: Bool)

    func insert(into set: inout ScalarSet) {
      switch self {
      case .scalar(let value): set.insert(value...value)
      case .kind(let kind, let isNegated): set.insert(kind, isNegated: isNegated)
      }
    }
  }

  private mutating func set() throws(LinePatternError) -> ScalarSet {
    let start = place
    place += 1
    var set = ScalarSet(isNegated: take("^"), ignoresCase: flags.ignoresCase)
    var isFirst = true
    while isFirst || next != "]" {
      isFirst = false
      guard next != nil else { throw error("a [ without its ]", at: start) }
      if next == "[", place + 1 < text.count, text[place + 1] == ":" {
        throw error("classes such as [:digit:] are not supported; write \\d, \\w or \\s")
      }
      let first = try member(inClass: true)
      guard next == "-", place + 1 < text.count, text[place + 1] != "]" else {
        first.insert(into: &set)
        continue
      }
      place += 1
      guard case .scalar(let low) = first, case .scalar(let high) = try member(inClass: true), low <= high
      else {
        throw error("a range whose ends are no characters in their order", at: start)
      }
      set.insert(low...high)
    }
    place += 1
    set.finish()
    return set
  }

  /// A character, perhaps escaped, or a class such as `\d`.
  private mutating func member(inClass: Bool) throws(LinePatternError) -> Member {
    let start = place
    guard let scalar = next else { throw error("something is expected here") }
    place += 1
    guard scalar == "\\" else { return .scalar(scalar.value) }
    guard let escaped = next else { throw error("a \\ at the end", at: start) }
    place += 1
    switch escaped {
    case "d": return .kind(.digit, isNegated: false)
    case "D": return .kind(.digit, isNegated: true)
    case "w": return .kind(.word, isNegated: false)
    case "W": return .kind(.word, isNegated: true)
    case "s": return .kind(.space, isNegated: false)
    case "S": return .kind(.space, isNegated: true)
    case "n": return .scalar(10)
    case "t": return .scalar(9)
    case "r": return .scalar(13)
    case "f": return .scalar(12)
    case "v": return .scalar(11)
    case "a": return .scalar(7)
    case "b" where inClass: return .scalar(8)
    case "x": return .scalar(try hexadecimal(2, start))
    case "u": return .scalar(try hexadecimal(4, start))
    case "U": return .scalar(try hexadecimal(8, start))
    case "1"..."9" where !inClass:
      throw error(
        "backreferences, such as \\\(escaped), are not supported: they cannot be matched in bounded time",
        at: start)
    case "0"..."9", "a"..."z", "A"..."Z": throw error("the escape \\\(escaped) is not supported", at: start)
    default: return .scalar(escaped.value)
    }
  }

  private mutating func hexadecimal(_ count: Int, _ start: Int) throws(LinePatternError) -> UInt32 {
    let digits = String(String.UnicodeScalarView(text[place...].prefix(count)))
    guard digits.utf8.count == count, digits.allSatisfy(\.isHexDigit), let value = UInt32(digits, radix: 16),
      Unicode.Scalar(value) != nil
    else { throw error("\(count) hexadecimal digits of a character are expected", at: start) }
    place += count
    return value
  }
}

/// Compiles a syntax tree into a program.
struct PatternEmitter {
  var program: [Instruction] = []
  private(set) var sets: [ScalarSet] = []
  private var steps = 0

  /// The most instructions of a pattern: a repetition is unrolled as often as it may occur.
  static let largestProgram = 500

  mutating func emit(_ node: PatternNode) throws(LinePatternError) {
    steps += 1
    // Steps count, too, as an empty group makes no instruction.
    guard program.count < Self.largestProgram, steps < 20 * Self.largestProgram else {
      throw LinePatternError(
        description: "its repetitions make it too large; write smaller counts, or + and *")
    }
    switch node {
    case .set(let set):
      program.append(.set(sets.count))
      sets.append(set)
    case .check(let assertion): program.append(.check(assertion))
    case .group(let inner, let number):
      if number == 1 { program.append(.groupStart) }
      try emit(inner)
      if number == 1 { program.append(.groupEnd) }
    case .sequence(let parts): for part in parts { try emit(part) }
    case .choice(let branches):
      var ends: [Int] = []
      for (index, branch) in branches.enumerated() {
        guard index < branches.count - 1 else {
          try emit(branch)
          break
        }
        let split = reserve()
        try emit(branch)
        ends.append(reserve())
        program[split] = .split(preferred: split + 1, other: program.count)
      }
      for end in ends { program[end] = .jump(program.count) }
    case .repetition(let inner, let least, let most, let isLazy):
      try emit(inner, least, most, isLazy)
    }
  }

  private mutating func emit(
    _ inner: PatternNode, _ least: Int, _ most: Int?, _ isLazy: Bool
  ) throws(LinePatternError) {
    for _ in 0..<(most == nil ? max(0, least - 1) : least) { try emit(inner) }
    var exits: [Int] = []
    if let most {
      for _ in least..<most {
        exits.append(reserve())
        try emit(inner)
      }
    } else {
      // Once or more; where none is allowed, an exit lies before it all, so that an empty iteration ends the loop.
      if least == 0 { exits.append(reserve()) }
      let start = program.count
      try emit(inner)
      let split = reserve()
      program[split] = Self.split(start, split + 1, isLazy)
    }
    for exit in exits { program[exit] = Self.split(exit + 1, program.count, isLazy) }
  }

  private static func split(_ inner: Int, _ further: Int, _ isLazy: Bool) -> Instruction {
    isLazy ? .split(preferred: further, other: inner) : .split(preferred: inner, other: further)
  }

  private mutating func reserve() -> Int {
    program.append(.jump(0))
    return program.count - 1
  }
}
