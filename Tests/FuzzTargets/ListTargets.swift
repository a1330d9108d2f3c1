import Records

private func lines(_ path: String, part: ListShard? = nil) throws -> [ListLine] {
  guard var reader = try? ListReader(path, shard: part) else { return [] }
  var lines: [ListLine] = []
  while let line = try? reader.next() { lines.append(line) }
  try require(reader.doneByteCount == reader.byteCount, "the reader comes to the end")
  return lines
}

let lists = FuzzTarget(
  "lst",
  words: [
    [0x09], [0x0d, 0x0a], [0xef, 0xbb, 0xbf], [0xc2, 0xa0], [0xe3, 0x80, 0x80], "1e38", "0.1",
    "18446744073709551616", "nan", "0x",
  ],
  seeds: {
    [
      "", "0\t0.000000\troot.jpg\n", "7\t1\t2.5\t-3e1\t a b.jpg \r\n8\t.5\tx\r9\t1.\t\u{e9}/e\u{301}.jpg",
      "\u{feff}18446744073709551615\t1e-400\t\u{3000}x\u{a0}\n\n\t1\t2\tx\t\n",
      "1.0\t2\tx\n-1\t2\tx\n1\tnan\tx\n1\t0x1p3\tx\n",
    ].map { Array($0.utf8) }
  },
  check: { input, scratch in
    let path = try scratch.file(input)
    let whole = try lines(path)
    for count in 2...3 {
      let parts = try (0..<count).flatMap { try lines(path, part: ListShard(index: $0, count: count)) }
      try require(parts == whole, "the parts of a list are the list")
    }
    let entries = whole.compactMap { if case .entry(let entry, _) = $0 { entry } else { nil } }
    for entry in entries {
      try require(
        !entry.labels.isEmpty && entry.labels.allSatisfy { Float($0).isFinite }, "labels fit into a record")
      try require(!entry.strippedPath.isEmpty, "a path is not blank")
    }
    let again = try lines(scratch.file(Array(entries.map(\.line).joined().utf8)))
    try require(again.count == entries.count, "every line written is one line")
    for (entry, line) in zip(entries, again) {
      guard case .entry(let found, _) = line else {
        throw BrokenPromise(description: "a line that was written is read")
      }
      try require(
        found.id == entry.id && found.path.utf8.elementsEqual(entry.path.utf8) && found.line == entry.line,
        "a line that was written is read to the same")
    }
  })
