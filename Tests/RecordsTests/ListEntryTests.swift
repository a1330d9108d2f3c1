import Records
import TestSupport
import Testing

@Suite("list lines")
struct ListEntryTests {
  /// Printed by CPython's `"%f" % value`.
  @Test(
    "labels are written as Python's %f",
    arguments: [
      (0, "0.000000"), (-0.0, "-0.000000"), (5, "5.000000"), (-3, "-3.000000"), (0.5, "0.500000"),
      (-1.25, "-1.250000"), (1.0 / 3, "0.333333"), (5e-7, "0.000000"), (0.1234565, "0.123456"),
      (1.0000005, "1.000001"), (123_456_789.1234565, "123456789.123456"),
      (2_147_483_648, "2147483648.000000"),
      (-2_147_483_648, "-2147483648.000000"), (1e22, "10000000000000000000000.000000"),
      (3.4028234663852886e38, "340282346638528859811704183484516925440.000000"),
    ] as [(Double, String)])
  func label(_ value: Double, _ text: String) {
    #expect(ListEntry(id: 0, labels: [value], path: "root.jpg").line == "0\t\(text)\troot.jpg\n")
  }

  @Test("the largest double does not overrun its buffer")
  func largest() {
    let line = ListEntry(id: .max, labels: [-Double.greatestFiniteMagnitude, 1], path: "a/b.jpg").line
    #expect(line.utf8.count == 20 + 1 + 317 + 1 + 8 + 1 + 7 + 1)
    #expect(
      line.hasPrefix("18446744073709551615\t-17976931348623157") && line.hasSuffix("\t1.000000\ta/b.jpg\n"))
  }

  static func read(_ text: some Sequence<UInt8>, shard: ListShard? = nil) throws -> [ListLine] {
    try withScratchFolder { folder in
      writeScratchFile(folder + "/x.lst", text)
      var reader = try ListReader(folder + "/x.lst", shard: shard)
      var lines: [ListLine] = []
      while let line = try reader.next() { lines.append(line) }
      #expect(reader.doneByteCount == reader.byteCount)
      return lines
    }
  }

  @Test(
    "what im2rec.py takes, the reader takes",
    arguments: [
      ("0\t0.000000\troot.jpg", 0, [0], "root.jpg"),
      ("7\t1\t2.5\t-3e1\ta b.jpg", 7, [1, 2.5, -30], "a b.jpg"),
      (" 7 \t 1e1 \tx.jpg", 7, [10], "x.jpg"), ("+007\t.5\tx", 7, [0.5], "x"), ("1\t5.\tx", 1, [5], "x"),
      ("18446744073709551615\t+1E+2\tx", UInt64.max, [100], "x"), ("1\t1e-400\tx", 1, [0], "x"),
      ("\t1\t2\tx\t", 1, [2], "x"), ("\u{a0}1\u{3000}\t\u{2003}2\u{85}\tx", 1, [2], "x"),
      ("1\t0.1\tx", 1, [0.1], "x"), ("1\t123456789012345\tx", 1, [123_456_789_012_345], "x"),
      ("1\t0.1234567890123456789\tx", 1, [0.1234567890123456789], "x"),
      ("1\t3.4028235e38\tx", 1, [3.4028235e38], "x"),
      ("1\t1\te\u{301}/\u{e9}.jpg", 1, [1], "e\u{301}/\u{e9}.jpg"),
    ] as [(String, UInt64, [Double], String)])
  func accepted(_ line: String, _ id: UInt64, _ labels: [Double], _ path: String) throws {
    let read = try Self.read("\(line)\n".utf8)
    #expect(read == [.entry(ListEntry(id: id, labels: labels, path: path), line: 1)])
    // `==` of strings does not distinguish the encodings of an accent.
    guard case .entry(let entry, _) = read.first else { return }
    #expect(entry.path.utf8.elementsEqual(path.utf8))
  }

  @Test("a list with the path before the label is read where all its first lines are so")
  func otherColumns() throws {
    func entry(_ id: UInt64, _ label: Double, _ path: String, _ line: Int) -> ListLine {
      .entry(ListEntry(id: id, labels: [label], path: path), line: line)
    }
    // InsightFace's first column is a flag.
    let flagged = try Self.read("1\ta/1.jpg\t0\n1\ta/2.JPG\t1\r\n\n0\tb/3.png\t1\n".utf8)
    #expect(
      flagged == [
        entry(0, 0, "a/1.jpg", 1), entry(1, 1, "a/2.JPG", 2),
        .bad(reason: "empty line", line: 3, text: ""), entry(3, 1, "b/3.png", 4),
      ])
    let numbered = try Self.read("\u{feff}7\ta/1.jpg\t0\n9\ta/2.jpg\t1".utf8)
    #expect(numbered == [entry(7, 0, "a/1.jpg", 1), entry(9, 1, "a/2.jpg", 2)])
    // One line in MXNet's order, more columns, or a file that is no image: nothing is guessed.
    for text in ["1\ta.jpg\t0\n1\t0\tb.jpg\n", "1\ta.jpg\t0\t5\n", "1\ta\t0\n"] {
      let bad = try Self.read(text.utf8)
      #expect(bad.contains { if case .bad = $0 { true } else { false } }, "\(text)")
    }
  }

  @Test(
    "a path keeps its white space, and is also available without it",
    arguments: [
      (" lead.jpg", "lead.jpg"), ("\u{3000}x.jpg \u{a0}", "x.jpg"), ("a.jpg  ", "a.jpg"), ("a b", "a b"),
    ])
  func blanks(_ path: String, _ stripped: String) throws {
    for end in ["\n", "\r\n", ""] {
      let read = try Self.read("3\t1\t\(path)\(end)".utf8)
      #expect(read == [.entry(ListEntry(id: 3, labels: [1], path: path), line: 1)])
    }
    #expect(ListEntry(id: 3, labels: [1], path: path).strippedPath == stripped)
  }

  static let id = "; a whole number from 0 to 18446744073709551615 is expected"
  static let refused: [(line: [UInt8], reason: String)] =
    [
      (line: "", reason: "empty line"), (" \t ", "empty line"), ("\u{3000}", "empty line"),
      ("x.jpg", "1 of the 3 fields id, label and path, which tabs separate"),
      ("1\tx.jpg", "2 of the 3 fields id, label and path, which tabs separate"),
      ("1\t2\t", "2 of the 3 fields id, label and path, which tabs separate"),
      ("1 2 x.jpg", "1 of the 3 fields id, label and path, which tabs separate"),
      ("1.0\t2\tx", "the id is \"1.0\"" + id), ("-1\t2\tx", "the id is \"-1\"" + id),
      ("1_0\t2\tx", "the id is \"1_0\"" + id),
      ("18446744073709551616\t2\tx", "the id is \"18446744073709551616\"" + id),
      ("x\t2\tx", "the id is \"x\"" + id), ("+\t2\tx", "the id is \"+\"" + id),
      ("1\tcat\tx", "a label is \"cat\"; a number is expected"),
      ("1\t\t2\tx", "a label is \"\"; a number is expected"),
      ("1\tnan\tx", "a label is \"nan\"; a number is expected"),
      ("1\tinf\tx", "a label is \"inf\"; a number is expected"),
      ("1\t0x10\tx", "a label is \"0x10\"; a number is expected"),
      ("1\t1_0\tx", "a label is \"1_0\"; a number is expected"),
      ("1\t1e\tx", "a label is \"1e\"; a number is expected"),
      ("1\t.\tx", "a label is \".\"; a number is expected"),
      ("1\t1 2\tx", "a label is \"1 2\"; a number is expected"),
      ("1\t1e39\tx", "a label is \"1e39\", which a record's 32-bit labels cannot hold"),
      ("1\t1e999\tx", "a label is \"1e999\", which a record's 32-bit labels cannot hold"),
      ("1\t2\ta\u{0}b", "the path holds a NUL byte"),
    ].map { (Array($0.utf8), $1) } + [
      (Array("1\t2\tab".utf8) + [0xff], "the path is not UTF-8"),
      (Array("1\t".utf8) + [0xff] + Array("\tx".utf8), "a label is \"\\xff\"; a number is expected"),
    ]

  @Test(
    "a line that cannot be used is reported with its reason and number, and the others are read",
    arguments: refused)
  func refusal(_ line: [UInt8], _ reason: String) throws {
    let sound = ListEntry(id: 1, labels: [2], path: "x.jpg")
    let read = try Self.read(Array("1\t2\tx.jpg\n".utf8) + line + Array("\n1\t2\tx.jpg".utf8))
    #expect(read.count == 3 && read.first == .entry(sound, line: 1) && read.last == .entry(sound, line: 3))
    guard case .bad(let found, let number, _) = read[1] else {
      Issue.record("line 2 is taken")
      return
    }
    #expect(found == reason && number == 2)
  }

  @Test("LF, CRLF and CR end a line; a byte order mark is passed over")
  func lineEnds() throws {
    let read = try Self.read("\u{feff}0\t1\ta\r\n1\t1\tb\r2\t1\tc\n\r\n4\t1\td".utf8)
    #expect(
      read == [
        .entry(ListEntry(id: 0, labels: [1], path: "a"), line: 1),
        .entry(ListEntry(id: 1, labels: [1], path: "b"), line: 2),
        .entry(ListEntry(id: 2, labels: [1], path: "c"), line: 3),
        .bad(reason: "empty line", line: 4, text: ""),
        .entry(ListEntry(id: 4, labels: [1], path: "d"), line: 5),
      ])
    #expect(try Self.read([]).isEmpty)
  }

  @Test("lines across the read blocks come whole, whatever ends them", arguments: ["\n", "\r\n", "\r"])
  func blocks(_ end: String) throws {
    for extra in 0..<4 {
      let entries = (0..<9_000).map { ListEntry(id: $0, labels: [Double($0 % 7)], path: "c/image_\($0).jpg") }
      let first = ListEntry(id: 0, labels: [0], path: String(repeating: "x", count: 60 + extra))
      let text = ([first] + entries).map { $0.line.replacing("\n", with: end) }.joined()
      #expect(text.utf8.count > 3 << 16)
      let read = try Self.read(text.utf8)
      #expect(read == ([first] + entries).enumerated().map { .entry($1, line: $0 + 1) })
    }
  }

  @Test(
    "a line of more than 64 KiB is bad, and is not held in memory", arguments: ["\n", "\r\n", ""])
  func longLines(_ end: String) throws {
    let most = "1\t2\t" + String(repeating: "p", count: (1 << 16) - 4)
    for count in [1, 2, 70_000, 1_000_000] {
      let text = most + "\n" + most + String(repeating: "q", count: count) + end
      let read = try Self.read((text + (end.isEmpty ? "" : "3\t1\tx" + end)).utf8)
      guard case .entry(let entry, 1) = read.first, case .bad(let reason, 2, let shown) = read[1] else {
        Issue.record("\(count) bytes too many: \(read.count) lines")
        return
      }
      #expect(entry.path.utf8.count == (1 << 16) - 4)
      #expect(reason == "the line is longer than 65536 bytes")
      #expect(shown == "1\\t2\\t" + String(repeating: "p", count: 116) + "...")
      #expect(read.count == (end.isEmpty ? 2 : 3))
    }
  }

  @Test("the text of a bad line is printable")
  func printable() throws {
    let read = try Self.read("1\t\u{1b}[31m\u{7f}\u{2028}\u{e9}\n".utf8)
    guard case .bad(_, _, let text) = read[0] else {
      Issue.record("the line is taken")
      return
    }
    #expect(text == "1\\t\\u{1B}[31m\\u{7F}\\u{2028}\u{e9}")
  }
}

@Suite("The label among a manifest's attributes")
struct LabelAttributeTests {
  @Test(
    "is the one with metadata, else the only one; otherwise nothing is guessed",
    arguments: [
      (["source-ref", "label"], .named("label")),
      (["source-ref", "label", "label-metadata", "confidence"], .named("label")),
      (["zebra", "zebra-metadata", "source-ref", "another-ref", "a"], .named("zebra")),
      (["source-ref", "label", "id"], .several(["id", "label"])),
      (["a", "a-metadata", "b", "b-metadata", "c"], .several(["a", "b"])),
      (["source-ref", "x-metadata"], LabelAttribute.none), ([], LabelAttribute.none),
      // Two spellings of one word are two attributes.
      (["caf\u{E9}", "cafe\u{301}"], .several(["cafe\u{301}", "caf\u{E9}"])),
    ] as [([String], LabelAttribute)])
  func choice(_ names: [String], _ expected: LabelAttribute) {
    #expect(LabelAttribute(among: names) == expected)
    #expect(LabelAttribute(among: names.reversed()) == expected)
  }
}
