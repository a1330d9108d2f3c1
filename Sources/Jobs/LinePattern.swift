/// A regular expression for the lines of a log, as SageMaker's MetricDefinitions have them: Python's syntax, without what
/// only backtracking can match (lookarounds, backreferences, possessive and atomic groups).
///
/// All ways to match a line are followed side by side (Thompson 1968; with captures as in Pike's sam), so that matching
/// takes at most the pattern's length times the line's. Of several matches, the one that backtracking would find first is
/// taken; a repeated group keeps what it captured before a last, empty iteration.
public struct LinePattern: Sendable {
  /// The number of capturing groups.
  public let groupCount: Int
  private let program: [Instruction]
  private let sets: [ScalarSet]

  /// Compiles a pattern.
  ///
  /// - Throws: with the place in the pattern, where it is not a regular expression, uses what is not supported, or is too
  ///   large.
  public init(_ pattern: String) throws(LinePatternError) {
    var parser = PatternParser(pattern)
    let root = try parser.parse()
    var emitter = PatternEmitter()
    try emitter.emit(root)
    emitter.program.append(.match)
    (program, sets, groupCount) = (emitter.program, emitter.sets, parser.groupCount)
  }

  /// What the first group captures in a line; nil where the line does not match, or the group takes no part in the match.
  ///
  /// - Complexity: O(line times pattern).
  public func firstGroup(of line: some StringProtocol) -> String? {
    let scalars = Array(line.unicodeScalars)
    guard let group = match(in: scalars)?.group else { return nil }
    return String(String.UnicodeScalarView(scalars[group]))
  }

  /// The number that the first group captures in a line: the value of a metric. "nan" and "inf" are numbers.
  ///
  /// - Returns: nil where the line does not match, or the group captures no number.
  /// - Complexity: O(line times pattern).
  public func number(in line: some StringProtocol) -> Double? { firstGroup(of: line).flatMap { Double($0) } }

  struct Match: Hashable {
    let whole: Range<Int>
    /// The range of the first group; nil where it took no part in the match.
    let group: Range<Int>?
  }

  /// The first match of a text.
  func match(in text: [Unicode.Scalar]) -> Match? {
    var now = Threads(program.count)
    var next = Threads(program.count)
    var best: Match?
    for position in 0...text.count {
      // A match may begin here; those that began before are preferred.
      if best == nil { add(Thread(start: position), to: &now, at: position, text) }
      if best != nil, now.list.isEmpty { break }
      next.clear()
      for thread in now.list {
        if case .set(let index) = program[thread.place] {
          guard position < text.count, sets[index].contains(text[position]) else { continue }
          var further = thread
          further.place += 1
          add(further, to: &next, at: position + 1, text)
        } else {
          best = Match(whole: thread.start..<position, group: thread.group)
          // Backtracking would try the other threads later.
          break
        }
      }
      swap(&now, &next)
    }
    return best
  }

  /// One way to match the text so far.
  private struct Thread {
    var place = 0
    let start: Int
    var groupStart = -1, groupEnd = -1

    init(start: Int) { self.start = start }

    var group: Range<Int>? { groupStart >= 0 && groupEnd >= groupStart ? groupStart..<groupEnd : nil }
  }

  /// The threads at one position of the text, the preferred ones first; one for each place of the program.
  private struct Threads {
    var list: [Thread] = []
    private var seen: [Int]
    private var round = 1
    var left: [Thread] = []

    init(_ count: Int) { seen = Array(repeating: 0, count: count) }

    mutating func clear() {
      list.removeAll(keepingCapacity: true)
      round += 1
    }

    mutating func isNew(_ place: Int) -> Bool {
      if seen[place] == round { return false }
      seen[place] = round
      return true
    }
  }

  /// Follows a thread to the places where it waits for a scalar, or has matched.
  private func add(_ first: Thread, to threads: inout Threads, at position: Int, _ text: [Unicode.Scalar]) {
    threads.left.append(first)
    while var thread = threads.left.popLast() {
      following: while threads.isNew(thread.place) {
        switch program[thread.place] {
        case .set, .match:
          threads.list.append(thread)
          break following
        case .jump(let target): thread.place = target
        case .split(let preferred, let other):
          var second = thread
          second.place = other
          threads.left.append(second)
          thread.place = preferred
        case .groupStart:
          thread.groupStart = position
          thread.groupEnd = -1
          thread.place += 1
        case .groupEnd:
          thread.groupEnd = position
          thread.place += 1
        case .check(let assertion):
          guard assertion.holds(at: position, in: text) else { break following }
          thread.place += 1
        }
      }
    }
  }
}

/// Why a text is not a pattern for lines, in a sentence that does not repeat the pattern.
public struct LinePatternError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The place and the reason.
  public let description: String
}

/// An instruction of a compiled pattern.
enum Instruction: Hashable, Sendable {
  /// Consumes a scalar that is in the set with this index.
  case set(Int)
  case split(preferred: Int, other: Int)
  case jump(Int)
  case groupStart, groupEnd
  case check(Assertion)
  case match
}

/// A condition on a position in the text, which consumes nothing.
enum Assertion: Hashable, Sendable {
  /// `^` and `$`; with the flag `m`, the same for each line of the text.
  case start, end, lineStart, lineEnd
  /// `\Z`
  case veryEnd
  /// `\b`, `\B`
  case wordEdge, noWordEdge

  func holds(at position: Int, in text: [Unicode.Scalar]) -> Bool {
    func isWord(_ place: Int) -> Bool {
      text.indices.contains(place) && ScalarSet.Kind.word.contains(text[place])
    }
    return switch self {
    case .start: position == 0
    case .lineStart: position == 0 || text[position - 1] == "\n"
    case .end: position == text.count || position == text.count - 1 && text[position] == "\n"
    case .lineEnd: position == text.count || text[position] == "\n"
    case .veryEnd: position == text.count
    case .wordEdge: isWord(position - 1) != isWord(position)
    case .noWordEdge: isWord(position - 1) == isWord(position)
    }
  }
}

/// A class of scalars: `[^a-z\d]`, `.`, a literal.
struct ScalarSet: Hashable, Sendable {
  enum Kind: Hashable, Sendable {
    case digit, word, space

    func contains(_ scalar: Unicode.Scalar) -> Bool {
      let category = scalar.properties.generalCategory
      switch self {
      case .digit: return category == .decimalNumber
      case .space: return scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
      case .word:
        switch category {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
          .decimalNumber, .letterNumber, .otherNumber:
          return true
        default: return scalar == "_"
        }
      }
    }
  }
  private struct Member: Hashable {
    let kind: Kind, isNegated: Bool
  }
  private var ranges: [ClosedRange<UInt32>] = []
  private var members: [Member] = []
  private let isNegated: Bool
  private let ignoresCase: Bool
  /// A bit for each of the first 64 scalars, and for each of the next 64.
  private var low: UInt64 = 0, high: UInt64 = 0

  init(isNegated: Bool = false, ignoresCase: Bool = false) {
    (self.isNegated, self.ignoresCase) = (isNegated, ignoresCase)
  }

  mutating func insert(_ range: ClosedRange<UInt32>) { ranges.append(range) }
  mutating func insert(_ kind: Kind, isNegated: Bool) {
    members.append(Member(kind: kind, isNegated: isNegated))
  }

  /// Fills the bits of the first 128 scalars; to be called when all ranges and kinds are inserted.
  mutating func finish() {
    for value in UInt8(0)..<64 {
      if holds(Unicode.Scalar(value)) { low |= 1 << UInt64(value) }
      if holds(Unicode.Scalar(value + 64)) { high |= 1 << UInt64(value) }
    }
  }

  func contains(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<64: low >> UInt64(scalar.value) & 1 == 1
    case 64..<128: high >> UInt64(scalar.value - 64) & 1 == 1
    default: holds(scalar)
    }
  }

  private func holds(_ scalar: Unicode.Scalar) -> Bool {
    if lists(scalar) { return !isNegated }
    guard ignoresCase else { return isNegated }
    let others = [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping]
    let isListed = others.contains { other in
      guard let first = other.unicodeScalars.first, other.unicodeScalars.count == 1 else { return false }
      return lists(first)
    }
    return isListed != isNegated
  }

  private func lists(_ scalar: Unicode.Scalar) -> Bool {
    ranges.contains { $0.contains(scalar.value) }
      || members.contains { $0.kind.contains(scalar) != $0.isNegated }
  }
}
