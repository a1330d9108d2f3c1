import Records

private let magic: [UInt8] = [0x0a, 0x23, 0xd7, 0xce]

private func frames(_ payloads: [[UInt8]]) throws -> [UInt8] {
  var bytes: [UInt8] = []
  for payload in payloads { try appendFrame(payload.span, to: &bytes) }
  return bytes
}

private func imageRecord(_ header: ImageHeader) throws -> [UInt8] {
  var bytes: [UInt8] = []
  try appendRecord(header, image: [0xff, 0xd8, 0xff, 0xe0, 0].span, to: &bytes)
  return bytes
}

let recordFiles = FuzzTarget(
  "rec",
  words: [[0x0a, 0x23, 0xd7, 0xce], [0, 0, 0, 0x20], [0, 0, 0, 0x40], [0, 0, 0, 0x60]],
  seeds: {
    try [
      [], frames([[]]), frames([[1], [2, 3], [4, 5, 6], [7, 8, 9, 10]]), frames([magic]),
      frames([magic + magic + [1]]),
      frames([[1, 2, 3, 4] + magic + [5, 6, 7, 8] + magic + [9], [0] + magic]),
      imageRecord(ImageHeader(label: 4, id: 2574)), imageRecord(ImageHeader(labels: [1, 2.5, 3], id: 5)),
      frames([[UInt8](repeating: 7, count: 300), [], magic]),
    ]
  },
  check: { input, scratch in
    guard var reader = try? RecordReader(scratch.file(input)) else { return }
    try require(reader.byteCount == input.count, "the reader sees the whole file")
    var faultyAt = -1
    while true {
      let found: Record
      do throws(RecordError) {
        guard let record = try reader.next() else { break }
        found = record
      } catch {
        try require(
          error.offset == reader.offset && error.offset > faultyAt, "a fault stands behind the one before")
        try requireSentence(error)
        faultyAt = error.offset
        guard let next = try? reader.resynchronise() else { break }
        try require(next > faultyAt && next < input.count, "the next head is behind the fault")
        continue
      }
      let extent = found.offset..<(found.offset + found.frameByteCount)
      try require(reader.offset == extent.upperBound, "the reader moves behind the record")
      try require(
        frames([found.payload]).elementsEqual(input[extent]), "a record frames to the bytes it was read from")
      try require((try? reader.read(at: found.offset)) == found, "a record is the same by its offset")
      if let (header, imageStart) = try? found.parse() {
        var reframed: [UInt8] = []
        try appendRecord(header, image: found.payload.span.extracting(imageStart...), to: &reframed)
        try require(reframed.elementsEqual(input[extent]), "header and image make the record again")
      }
    }
    try require(reader.offset == input.count, "the reader comes to the end")
  })

let indexFiles = FuzzTarget(
  "idx",
  words: [
    [0x09], [0x0d, 0x0a], [0x0b], "18446744073709551615", "18446744073709551616", "9223372036854775808", "-",
    "+",
  ],
  seeds: {
    [
      "", "0\t0\n1\t4096\n2\t8200\n", "7 12\r\n\r\n  9\t\t13  \n",
      "18446744073709551615\t9223372036854775807",
    ]
    .map { Array($0.utf8) }
  },
  check: { input, scratch in
    let path = try scratch.file(input)
    let index: RecordIndex
    do throws(RecordError) {
      index = try RecordIndex(path: path)
    } catch {
      try require(
        (0..<max(1, input.count)).contains(error.offset)
          && (error.offset == 0 || input[error.offset - 1] == UInt8(ascii: "\n")),
        "a fault names the beginning of its line")
      return try requireSentence(error)
    }
    let fieldCount = input.split { $0 == 0x20 || (0x09...0x0d).contains($0) || (0x1c...0x1f).contains($0) }
      .count
    try require(fieldCount == 2 * index.entries.count, "no line is passed over")
    let text = index.entries.map { RecordIndex.line(key: $0.key, offset: $0.offset) }.joined()
    try require(
      (try? RecordIndex(path: scratch.file(Array(text.utf8)))) == index,
      "an index that is written is read to the same")
  })
