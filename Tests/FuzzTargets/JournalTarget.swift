import Files
import Packing

let journals = FuzzTarget(
  "journal",
  words: [
    "+\t", "-\t", "=\t", "\t", "\n", "\\n", "\\", "\r\n", "-\t-", "18446744073709551615",
    "9223372036854775808", [0xcc, 0x81], [0xff],
  ],
  seeds: {
    let stamp = FileStamp(byteCount: 7, modifiedNanoseconds: 1_700_000_000_000_000_000)
    return [
      JournalLine.record(byteCount: 4096, checksum: .max, doubt: nil, source: stamp).text
        + JournalLine.record(byteCount: 9, checksum: 1, doubt: "left\tover", source: nil).text
        + JournalLine.skip(reason: "a\tb: no\r\nimage\\", source: nil).text
        + JournalLine.skip(reason: "", source: stamp).text + JournalLine.end(byteCount: 4096).text,
      "+\t1\t2\t-\t-\n+\t3", "a b\u{301}\r\n\tc\\\u{301}",
    ].map { Array($0.utf8) }
  },
  check: { input, _ in
    var reader = JournalReader(input)
    var lineCount = 0
    while let text = reader.next() {
      lineCount += 1
      guard let line = JournalLine(text) else { continue }
      try require(
        JournalLine(Substring(line.text.utf8.dropLast())) == line,
        "a line that is written is read to the same")
    }
    try require(
      lineCount == input.count { $0 == UInt8(ascii: "\n") }, "only whole lines are read, and all of them")
    // Whatever a reason says.
    let reason = String(decoding: input, as: UTF8.self)
    let stamp = FileStamp(byteCount: input.count, modifiedNanoseconds: -1)
    let lines = [
      JournalLine.skip(reason: reason, source: stamp),
      .record(byteCount: input.count + 1, checksum: 7, doubt: reason, source: nil),
      .skip(reason: reason, source: nil), .end(byteCount: input.count),
    ]
    reader = JournalReader(Array(lines.map(\.text).joined().utf8))
    for line in lines {
      let written = try require("a line that is written is there") { reader.next() }
      let found = try require("a line that is written is read") { JournalLine(written) }
      try require(
        found.text.utf8.elementsEqual(line.text.utf8) && found == line, "a line is read as it was written")
      let text: String? =
        switch found {
        case .skip(let reason, _): reason
        case .record(_, _, let doubt, _): doubt
        case .end: nil
        }
      if let found = text {
        try require(found.utf8.elementsEqual(reason.utf8), "a reason comes back to the byte")
      }
    }
    try require(reader.next() == nil, "a line is one line")
  })
