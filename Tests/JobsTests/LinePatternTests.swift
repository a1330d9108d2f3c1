import Foundation
import TestSupport
import Testing

@testable import Jobs

@Suite("Patterns of lines")
struct LinePatternTests {
  /// The whole match and the first group, as ranges of scalars.
  private func found(_ pattern: String, _ line: String) throws -> LinePattern.Match? {
    try LinePattern(pattern).match(in: Array(line.unicodeScalars))
  }

  /// The same, of Foundation's engine, which backtracks.
  private func expected(_ pattern: String, _ line: String) throws -> LinePattern.Match? {
    let expression = try NSRegularExpression(pattern: pattern)
    guard let match = expression.firstMatch(in: line, range: NSRange(line.startIndex..., in: line)) else {
      return nil
    }
    func scalars(_ range: NSRange) -> Range<Int>? {
      guard let range = Range(range, in: line) else { return nil }
      let all = line.unicodeScalars
      return all.distance(
        from: all.startIndex, to: range.lowerBound)..<all.distance(
          from: all.startIndex, to: range.upperBound)
    }
    return LinePattern.Match(
      whole: try #require(scalars(match.range)),
      group: match.numberOfRanges > 1 ? scalars(match.range(at: 1)) : nil)
  }

  private static let lines = [
    "", "a", "aaa", "ab", "abab", "b", "Epoch[3] Validation-accuracy=0.253906",
    "[11/29/2026 10:00:00 INFO 42] Epoch[12] Train-accuracy=0.150391",
    "Epoch[1] Batch [20]\tSpeed: 20.16 samples/sec\taccuracy=0.648148", "loss: -1.5e-07, next: 2", "x{2} y",
    "quality (test) = 12%", "été 5 naïve", "a_b-c]d^e", "1,234.5", "foo bar foo", "aXbXc", "\"score\": \"7\"",
  ]

  @Test(
    "are matched as a backtracking engine matches them",
    arguments: [
      #"Validation-accuracy=([0-9\.]+)"#, #"Epoch\[\d+\] Validation-accuracy=(\S+)"#,
      #"Epoch\[(\d+)\]"#, #"Epoch\[\d+\] Batch \[\d+\].*accuracy=(\S+)"#, #".*accuracy=(.*)"#, #".*?(\d+)"#,
      #"(a|ab)(b*)"#, #"(a*)(ab)*"#, "(a+?)(b?)", "(?:a|b)*(b)", "(a|b)*?b", "^(a+)$", "^$", "$",
      "a{2}", "(a{1,2})", "(a{2,})", "(a{0,2}?)b", #"(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"#, #"x\{2\}"#,
      #"\((\w+)\)\s*=\s*(\d+)%"#, #"(\w+)"#, #"\W(\w)"#, #"[^\s]+\s(\d)"#, #"([\w\-\]^]+)"#, "[]a]+",
      "[a-c]+([^a-c])",
      #"\bfoo\b.*\b(foo)\b"#, #"\Bo"#, #"(\d{1,3})(?:,\d{3})*"#, "(?<name>X)b", "(X|b)+c", "(|a)+",
      #"(?i)VALIDATION-(ACCURACY)"#, "(?i)[A-C]+", "(?i:FOO) (bar)", #""score": "([0-9])""#, #"\x41?(a)"#,
      "(a)|(b)", "(?:(a)|b)*", "a||b", "(?s).*", "é(t)é", #"\d+|(\D+)"#,
    ])
  func same(_ pattern: String) throws {
    for line in Self.lines {
      #expect(try found(pattern, line) == expected(pattern, line), "\(pattern) in \(line)")
    }
  }

  @Test("are matched in Python's syntax, which Foundation does not support")
  func python() throws {
    #expect(try LinePattern("acc=(?P<value>[0-9.]+)").firstGroup(of: "acc=0.5;") == "0.5")
    #expect(try LinePattern("{acc: (.{,3})}").firstGroup(of: "{acc: 0.5}") == "0.5")
    #expect(try LinePattern(#"(a)\Z"#).firstGroup(of: "ba") == "a")
    #expect(
      try LinePattern("(?P<x>a)|b").firstGroup(of: "b") == nil, "a match without its group has no value")
  }

  @Test(
    "take linear time where backtracking would not end",
    arguments: [
      "(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*)*x", "(a?){40}a{40}x", "^(([a-z])+.)+[A-Z]([a-z])+$",
      "(.*a){12}x",
    ])
  func bounded(_ pattern: String) throws {
    let read = try LinePattern(pattern)
    let line = String(repeating: "a", count: 20_000) + "!"
    let begin = ContinuousClock.now
    #expect(read.firstGroup(of: line) == nil)
    #expect(ContinuousClock.now - begin < .seconds(20), "a backtracking engine takes years")
  }

  @Test(
    "that are invalid or not supported are refused with the place and the reason",
    arguments: [
      ("((", "at character 2: a ( without its )"), ("a)", "at character 2: a ) without its ("),
      ("[a", "at character 1: a [ without its ]"), ("*a", "at character 1: nothing stands before"),
      ("a**", "at character 3: a quantifier after a quantifier"),
      ("a{2}{3}", "a quantifier after a quantifier"),
      ("^*", "nothing that can be repeated"), ("a{3,2}", "more at least than at most"),
      ("a{1001}", "more than 1000 times"), ("a{99999999999999999999}", "more than 1000 times"),
      ("(?=a)", "lookaheads"), ("(?!a)", "lookaheads"), ("(?<=a)b", "lookbehinds"),
      ("(?<!a)b", "lookbehinds"),
      (#"(a)\1"#, "backreferences"), ("(?P<a>x)(?P=a)", "backreferences"), ("(?>a)", "atomic groups"),
      ("a++", "possessive"), ("(a)(?(1)b)", "conditions"), ("(?x)a", "not supported"),
      (#"\p{L}"#, #"the escape \p"#),
      (#"a\"#, "a \\ at the end"), ("[z-a]", "no characters in their order"),
      (#"\xg0"#, "hexadecimal digits"),
      ("[[:alpha:]]", "write \\d, \\w or \\s"),
      ("(a{1000}){1000}", "make it too large"), ("(?:(?:(?:){1000}){1000}){1000}", "make it too large"),
      (String(repeating: "(", count: 200), "nested more than 100 deep"),
    ])
  func refused(_ pattern: String, _ words: String) {
    let error = #expect(throws: LinePatternError.self) { try LinePattern(pattern) }
    #expect(error?.description.contains(words) == true, "\(error as Any)")
  }

  @Test("of any characters are read or refused, and end")
  func fuzz() {
    var generator = SplitMix64(seed: 11)
    let pieces = [
      "a", "b", ".", "*", "+", "?", "(", ")", "[", "]", "{", "}", "2", ",", "|", "^", "$", "\\", "d", "b",
      "(?:", "-", "é",
    ]
    for _ in 0..<20_000 {
      let count = Int.random(in: 0...14, using: &generator)
      let pattern = (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
      guard let read = try? LinePattern(pattern) else { continue }
      _ = read.firstGroup(of: "abab aé 2b")
    }
  }
}
