import Foundation
import Jobs

/// The first line is a pattern, the second a line of a log.
let patterns = FuzzTarget(
  "pattern",
  words: [
    "(", ")", "(?:", "(?P<a>", "(?i)", "(?=", "[", "[^", "]", "[a-", "\\d", "\\b", "\\x4", "\\u0301", "{2,}",
    "{,3}",
    "{1000}", "*?", "+", "++", "|", ".", "^", "$", [0xcc, 0x81], [0xff], "nan", "1e-5",
  ],
  seeds: {
    [
      "Train-accuracy=(.*)\nEpoch[3] Train-accuracy=0.5", "loss: ([0-9\\.]+)\nloss: 0.25, 7",
      "(a|ab)(c|bcd)*?$\nabcd",
      "(?i)ACC\\s*=\\s*(?P<x>[-+]?\\d+(?:e[-+]?\\d+)?)\nacc = 1e-5", "((a*)*)*b\naaaaaaaaaaaaaaaaaaaaaaaa",
      "(?:x{0,3}){2,}\\b[^\\W_]\nxxé_1", "()|\n",
    ].map { Array($0.utf8) }
  },
  check: { input, _ in
    let first = input.prefix { $0 != UInt8(ascii: "\n") }
    let line = String(
      decoding: input.dropFirst(first.count + 1).prefix { $0 != UInt8(ascii: "\n") }.prefix(300),
      as: UTF8.self)
    let spelled = String(decoding: first, as: UTF8.self)
    // The line itself as a pattern.
    let escaped = line.unicodeScalars.map { scalar in
      scalar.isASCII && scalar.properties.generalCategory != .control
        && !("0"..."9" ~= scalar || "A"..."Z" ~= scalar || "a"..."z" ~= scalar) ? "\\\(scalar)" : "\(scalar)"
    }.joined()
    let itself = try require("a line that is escaped is a pattern") { try LinePattern("(\(escaped))") }
    try require(isSame(itself.firstGroup(of: line), line), "a line that is escaped matches itself")
    let pattern: LinePattern
    do throws(LinePatternError) { pattern = try LinePattern(spelled) } catch {
      return try requireSentence(error)
    }
    let found = pattern.firstGroup(of: line)
    if let found {
      try require(pattern.groupCount > 0, "what is captured has a group")
      let (all, part) = (Array(line.unicodeScalars), Array(found.unicodeScalars))
      try require(
        part.isEmpty || all.indices.contains { all[$0...].starts(with: part) },
        "what is captured stands in the line")
    }
    if let whole = try? LinePattern("(?:\(spelled))") {
      try require(
        whole.groupCount == pattern.groupCount && isSame(whole.firstGroup(of: line), found),
        "a group that captures nothing changes nothing")
    }
    if let number = pattern.number(in: line) {
      try require(found.map { Double($0) != nil } == true, "\(number) is captured")
    }
  })

private func isSame(_ left: String?, _ right: String?) -> Bool {
  switch (left, right) {
  case (nil, nil): true
  case (let left?, let right?): left.utf8.elementsEqual(right.utf8)
  default: false
  }
}
