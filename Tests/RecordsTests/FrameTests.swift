import Records
import TestSupport
import Testing

/// The bytes that hexadecimal digits spell; spaces between them are ignored.
func bytes(_ hexadecimal: String) -> [UInt8] {
  let digits = hexadecimal.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

func framed(_ payload: [UInt8]) throws -> [UInt8] {
  var frame: [UInt8] = []
  try appendFrame(payload.span, to: &frame)
  return frame
}

/// All records of a file with these bytes.
func readAll(_ file: [UInt8]) throws -> [Record] {
  try withScratchFolder { folder in
    writeScratchFile(folder + "/x.rec", file)
    var reader = try RecordReader(folder + "/x.rec")
    var records: [Record] = []
    while let record = try reader.next() { records.append(record) }
    return records
  }
}

let magic = bytes("0a23d7ce")

@Suite("frames")
struct FrameTests {
  /// Written by MXNet 1.9.1's `MXRecordIO`.
  static let vectors: [(payload: String, file: String)] = [
    ("", "0a23d7ce 00000000"),
    ("61", "0a23d7ce 01000000 61000000"),
    ("6162636465", "0a23d7ce 05000000 61626364 65000000"),
    ("0a23d7ce", "0a23d7ce 00000020 0a23d7ce 00000060"),
    ("0a23d7ce 78", "0a23d7ce 00000020 0a23d7ce 01000060 78000000"),
    ("61626364 0a23d7ce 7778797a3132", "0a23d7ce 04000020 61626364 0a23d7ce 06000060 7778797a 31320000"),
    ("0a23d7ce 0a23d7ce", "0a23d7ce 00000020 0a23d7ce 00000040 0a23d7ce 00000060"),
    (
      "61626364 0a23d7ce 65666768 0a23d7ce 69",
      "0a23d7ce 04000020 61626364 0a23d7ce 04000040 65666768 0a23d7ce 01000060 69000000"
    ),
    ("6162 0a23d7ce 6364", "0a23d7ce 08000000 61620a23 d7ce6364"),
  ]

  @Test("a payload is framed as MXNet frames it, and read back", arguments: vectors)
  func vector(_ payload: String, _ file: String) throws {
    #expect(try framed(bytes(payload)) == bytes(file))
    let records = try readAll(bytes(file))
    #expect(records.map(\.payload) == [bytes(payload)])
    #expect(records.map(\.frameByteCount) == [bytes(file).count])
  }

  @Test("any payload comes back, with magics at every alignment", arguments: 0...70)
  func roundTrip(_ count: Int) throws {
    var random = SplitMix64(seed: UInt64(count))
    for place in 0...count {
      var payload = random.bytes(count)
      payload.replaceSubrange(place..<place, with: magic)
      if place % 3 == 0 { payload.replaceSubrange(0..<0, with: magic) }
      if place % 5 == 0 { payload += magic + magic }
      let file = try framed(payload) + framed([]) + framed(payload)
      #expect(file.count % 4 == 0)
      let records = try readAll(file)
      #expect(records.map(\.payload) == [payload, [], payload])
      #expect(records.map(\.offset) == [0, try framed(payload).count, try framed(payload).count + 8])
    }
  }

  /// Written by MXNet 1.9.1's `recordio.pack`.
  @Test("an image header has MXNet's bytes")
  func header() throws {
    var one: [UInt8] = []
    try appendRecord(ImageHeader(label: 4, id: 2574), image: bytes("5859").span, to: &one)
    #expect(one == bytes("0a23d7ce 1a000000 00000000 00008040 0e0a000000000000 0000000000000000 58590000"))
    var three: [UInt8] = []
    try appendRecord(ImageHeader(labels: [1, 2.5, 3], id: 5), image: bytes("5859").span, to: &three)
    #expect(
      three
        == bytes(
          """
          0a23d7ce 26000000 03000000 00000000 0500000000000000 0000000000000000
          0000803f 00002040 00004040 58590000
          """))
    let records = try readAll(one + three)
    let (first, second) = (try records[0].parse(), try records[1].parse())
    #expect(first.header == ImageHeader(label: 4, id: 2574))
    #expect(second.header == ImageHeader(labels: [1, 2.5, 3], id: 5))
    #expect(first.header.allLabels == [4])
    #expect(second.header.allLabels == [1, 2.5, 3])
    #expect(records[1].payload[second.imageStart...].elementsEqual(bytes("5859")))
  }
}
