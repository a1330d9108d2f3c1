import Files
import Glibc
import Records
import TestSupport
import Testing

/// What reading a file to its end gives: the records, and each fault with its place.
struct Reading: Equatable {
  var payloads: [[UInt8]] = []
  var offsets: [Int] = []
  var faults: [RecordError] = []

  /// Continues after each fault.
  init(_ file: [UInt8]) throws {
    try withScratchFolder { folder in
      writeScratchFile(folder + "/x.rec", file)
      var reader = try RecordReader(folder + "/x.rec")
      while true {
        do throws(RecordError) {
          guard let record = try reader.next() else { break }
          payloads.append(record.payload)
          offsets.append(record.offset)
        } catch {
          // The path of the scratch folder does not matter.
          faults.append(RecordError(error.reason, path: "x.rec", offset: error.offset))
          guard try reader.resynchronise() != nil else { break }
        }
      }
    }
  }

  var reasons: [RecordError.Reason] { faults.map(\.reason) }
}

@Suite("reading records")
struct RecordReaderTests {
  /// Three records: one with padding, one split at two magics, an image record; 12 + 36 + 52 bytes.
  static let payloads: [[UInt8]] = [
    bytes("6162 63"), bytes("11111111 0a23d7ce 22222222 0a23d7ce 33333333"),
    bytes("02000000 00000000 0500000000000000 0000000000000000 0000803f 00002040 ffd8ffe0 00104a46 4946"),
  ]
  static func sound() throws -> [UInt8] { try payloads.flatMap { try framed($0) } }

  @Test("a file of another kind is named, and a damaged one is read")
  func otherKinds() throws {
    let files: [(String, [UInt8], String?)] = [
      ("x.rec", Array("GIF89a....".utf8), "a GIF image"),
      ("x.rec", [0x50, 0x4b, 3, 4, 0, 0, 0, 0, 0], "a ZIP archive"),
      ("x.npy", [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0], "a NumPy array"),
      ("x.rec", [0xff, 0xd8, 0xff, 0xe0, 0, 0, 0, 0], "a JPEG image"),
      (
        "x.rec", Array("version https://git-lfs.github.com/spec/v1\n".utf8),
        "a Git LFS pointer"
      ),
      ("x.lst", Array("0\t1.000000\ta/1.jpg\n".utf8), "a list of images (.lst)"),
      ("x.lst", Array("1\ta/1.jpg\t0\n".utf8), "a list of images (.lst)"),
      ("x.idx", Array("0\t0\n1\t5020\n".utf8), "an index of records (.idx)"),
      ("x.rec", Array("<!DOCTYPE html><html>".utf8), "an HTML page"),
      ("x.rec", Array("words words".utf8), "a text file"),
      ("x.rec", Array("GIF89a..".utf8) + (try Self.sound()), nil), ("x.rec", [], nil),
      ("x.rec", [0x0a, 0x23], nil),
      ("x.rec", [UInt8](repeating: 0, count: 100), nil),
    ]
    try withScratchFolder { folder in
      for (name, bytes, kind) in files {
        let path = folder + "/" + name
        writeScratchFile(path, bytes)
        do {
          _ = try RecordReader(path).byteCount
          #expect(kind == nil)
        } catch let error as RecordError {
          let remedy = kind == "a Git LFS pointer" ? "fetch the real file with git lfs" : nil
          #expect(error == RecordError(.otherKind(kind ?? "nothing", remedy: remedy), path: path, offset: 0))
          #expect(
            error.description
              == "\(path): this is \(kind ?? ""), not a RecordIO file (.rec)"
              + (remedy.map { "; " + $0 } ?? ""))
        }
      }
    }
  }

  @Test("a truncated file gives its complete records, and the offset of the incomplete one")
  func truncation() throws {
    let file = try Self.sound()
    let starts = [0, 12, 12 + 36]
    for count in 0...file.count {
      let reading = try Reading(Array(file.prefix(count)))
      let whole = zip(starts, [12, 36, 52]).filter { $0 + $1 <= count }.count
      #expect(reading.payloads == Array(Self.payloads.prefix(whole)), "cut at \(count)")
      let isClean = starts.contains(count) || count == file.count
      #expect(reading.faults.isEmpty == isClean, "cut at \(count)")
      if !isClean { #expect(reading.faults.map(\.offset) == [starts[whole]], "cut at \(count)") }
    }
  }

  /// There is no checksum, so a flip inside a payload gives another payload. A length that became smaller shows
  /// where the next record should be, still inside this one.
  @Test("a flipped bit outside the payloads is an error whose offset lies in the damaged record")
  func bitFlips() throws {
    let file = try Self.sound()
    let inPayload = Set(8..<11).union(20..<24).union(32..<36).union(44..<48).union(56..<file.count - 2)
    for bit in 0..<(8 * file.count) {
      var damaged = file
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      let reading = try Reading(damaged)
      if inPayload.contains(bit / 8) {
        #expect(reading.faults.isEmpty && reading.payloads.count == 3, "bit \(bit)")
        continue
      }
      if bit == 8 * 52 {
        // 46 bytes become 47, the last of them a zero of the padding: no reader can tell.
        #expect(reading.faults.isEmpty && reading.payloads[2] == Self.payloads[2] + [0])
        continue
      }
      let place = bit / 8 < 12 ? 0 : bit / 8 < 48 ? 1 : 2
      let extent = [0..<12, 12..<48, 48..<file.count][place]
      #expect(extent.contains(reading.faults.first?.offset ?? -1), "bit \(bit)")
      // The other records are still found.
      for other in 0..<3 where other != place {
        #expect(reading.payloads.contains(Self.payloads[other]), "bit \(bit)")
      }
    }
  }

  static let whole = "0a23d7ce 04000000 61626364"
  static let hostile: [(name: String, file: String, records: Int, fault: RecordError.Reason, offset: Int)] = [
    ("middle part first", "0a23d7ce 04000040 61626364" + whole, 1, .badPart(flag: 2), 0),
    ("last part first", "0a23d7ce 04000060 61626364" + whole, 1, .badPart(flag: 3), 0),
    ("flag 7", whole + "0a23d7ce 040000e0 61626364" + whole, 2, .badPart(flag: 7), 12),
    ("flag 4", "0a23d7ce 04000080 61626364" + whole, 1, .badPart(flag: 4), 0),
    ("the greatest length", "0a23d7ce ffffff1f 61626364", 0, .truncated(wanted: 1 << 29, left: 4), 0),
    ("a first part beyond the end", "0a23d7ce ffffff3f 61626364", 0, .truncated(wanted: 1 << 29, left: 4), 0),
    ("no next part", whole + "0a23d7ce 04000020 61626364" + whole, 2, .missingPart(at: 24), 12),
    (
      "the end instead of a next part", "0a23d7ce 04000020 61626364", 0, .truncated(wanted: 8, left: 0), 0
    ),
    (
      "a first part as a next part",
      "0a23d7ce 04000020 61626364 0a23d7ce 04000020 61626364 0a23d7ce 00000060", 1,
      .missingPart(at: 12), 0
    ),
    (
      "a part of 5 bytes", "0a23d7ce 05000020 6162636465000000 0a23d7ce 00000060", 0,
      .unalignedPart(byteCount: 5), 0
    ),
    ("no record", "4142434445464748" + whole, 1, .badMagic(0x4443_4241), 0),
    ("padding", "0a23d7ce 01000000 61000100" + whole, 1, .badPadding, 0),
    ("a head in a payload", "0a23d7ce 10000000 61626364" + whole, 1, .headInside(at: 12), 0),
    ("half a head", whole + "0a23d7ce 0400", 1, .truncated(wanted: 8, left: 6), 12),
    ("half a magic", whole + "0a23", 1, .truncated(wanted: 8, left: 2), 12),
    ("zeros", whole + "0000000000000000" + whole, 2, .badMagic(0), 12),
  ]

  @Test("a damaged record is named with its reason and offset, the sound ones are read", arguments: hostile)
  func damage(_ name: String, _ file: String, _ records: Int, _ fault: RecordError.Reason, _ offset: Int)
    throws
  {
    let reading = try Reading(bytes(file))
    #expect(reading.payloads.count == records)
    #expect(reading.payloads.allSatisfy { $0 == bytes("61626364") || $0 == bytes("61626364 0a23d7ce") })
    #expect(reading.faults.first == RecordError(fault, path: "x.rec", offset: offset))
  }

  @Test(
    "where bytes were lost or inserted, the records after them are found again", arguments: [-3, -1, 1, 2, 3])
  func shifted(_ shift: Int) throws {
    let payload = Array("some payload".utf8)
    let frame = try framed(payload)
    var file = frame + frame + frame + frame
    if shift < 0 {
      file.removeSubrange((frame.count + 10)..<(frame.count + 10 - shift))
    } else {
      file.insert(contentsOf: [UInt8](repeating: 7, count: shift), at: frame.count + 10)
    }
    let reading = try Reading(file)
    // Where bytes are missing, the damaged record takes them from the head behind it.
    #expect(reading.payloads.first == payload)
    #expect(reading.payloads.suffix(shift < 0 ? 1 : 2) == (shift < 0 ? [payload] : [payload, payload]))
    #expect(!reading.faults.isEmpty)
  }

  @Test("a fault stays until the reader is told to go on, and every sentence names file and byte")
  func faultStays() throws {
    try withScratchFolder { folder in
      let path = folder + "/train.rec"
      writeScratchFile(path, bytes(Self.whole + "0a23d7ce 00c80000 61626364" + Self.whole))
      var reader = try RecordReader(path)
      #expect(try reader.next()?.offset == 0)
      for _ in 0..<2 {
        let error = #expect(throws: RecordError.self) { try reader.next() }
        #expect(error?.description == "\(path): byte 12: the record needs 51200 bytes, but only 16 are left")
      }
      #expect(reader.offset == 12)
      #expect(try reader.resynchronise() == 24)
      #expect(try reader.next()?.payload == bytes("61626364"))
      #expect(try reader.next() == nil)
      #expect(try reader.resynchronise() == nil)
    }
  }

  @Test("records larger than the read window, and those across its ends, come back")
  func large() throws {
    var random = SplitMix64(seed: 3)
    var payloads = (0..<200).map { _ in random.bytes(Int.random(in: 0...20_000, using: &random)) }
    payloads.insert([UInt8](repeating: 0x5a, count: 1 << 20), at: 50)
    payloads.insert([UInt8](repeating: 0xa5, count: 3_000_001) + magic, at: 100)
    let joined =
      magic + [UInt8](repeating: 1, count: 2_000_000) + magic + [UInt8](repeating: 2, count: 1_100_003)
    payloads.append(joined)
    let reading = try Reading(payloads.flatMap { try framed($0) })
    #expect(reading.faults.isEmpty)
    #expect(reading.payloads == payloads)
  }

  @Test("a record is read by its offset, whatever was read before")
  func randomAccess() throws {
    try withScratchFolder { folder in
      let path = folder + "/x.rec"
      let long = [UInt8](repeating: 9, count: 9_001)
      writeScratchFile(path, try Self.sound() + framed(long) + framed([]))
      var reader = try RecordReader(path)
      _ = try reader.next()
      #expect(try reader.read(at: 100).payload == long)
      #expect(try reader.read(at: 12).payload == Self.payloads[1])
      #expect(try reader.read(at: 0).payload == Self.payloads[0])
      #expect(reader.offset == 12)
      let size = reader.byteCount
      for (offset, reason) in [
        (4, RecordError.Reason.badMagic(3)), (size, .truncated(wanted: 8, left: 0)),
        (size - 3, .truncated(wanted: 8, left: 3)), (-1, .truncated(wanted: 8, left: 0)),
        (Int.max, .truncated(wanted: 8, left: 0)), (Int.min, .truncated(wanted: 8, left: 0)),
      ] {
        #expect(throws: RecordError(reason, path: path, offset: offset)) { try reader.read(at: offset) }
      }
    }
  }

  @Test("a file that becomes shorter or is written to while it is read is an error, not a trap")
  func changing() throws {
    try withScratchFolder { folder in
      let path = folder + "/x.rec"
      let frame = try framed([UInt8](repeating: 1, count: 800_000))
      writeScratchFile(path, frame + frame + frame)
      var reader = try RecordReader(path)
      _ = try reader.next()
      truncate(path, 1_000_000)
      let error = #expect(throws: RecordError.self) { while try reader.next() != nil {} }
      #expect(error?.reason == .file(FileError(.changed, path: path)))
    }
  }

  @Test("anything but a regular file is refused without blocking")
  func special() throws {
    withScratchFolder { folder in
      mkfifo(folder + "/fifo.rec", 0o600)
      for (name, words) in [
        ("fifo.rec", "this is a FIFO"), (".", "this is a folder"), ("none", "there is no such"),
      ] {
        let error = #expect(throws: RecordError.self) { _ = try RecordReader(folder + "/" + name).byteCount }
        #expect(error?.description.contains(words) == true)
      }
    }
  }

  @Test("a payload that is too short for its header or its labels is an error with the record's offset")
  func headers() throws {
    let short = try readAll(try framed([]) + framed(bytes("00"))).last
    #expect(throws: RecordError(.headerTooShort(byteCount: 1), path: short?.path ?? "", offset: 8)) {
      try short?.parse()
    }
    var labels = [UInt8](repeating: 0, count: 28)
    labels.replaceSubrange(0..<4, with: bytes("ffffffff"))
    let long = try readAll(try framed(labels)).first
    #expect(
      throws: RecordError(.labelsTooLong(wanted: 4 * 0xffff_ffff, left: 4), path: long?.path ?? "", offset: 0)
    ) { try long?.parse() }
  }

  @Test("a record with labels and no image, as InsightFace's first, is sound")
  func noImage() throws {
    var frame: [UInt8] = []
    try appendRecord(ImageHeader(labels: [3_804_847, 3_890_011], id: 0), image: [UInt8]().span, to: &frame)
    let record = try readAll(frame)[0]
    let (header, imageStart) = try record.parse()
    #expect(header.allLabels == [3_804_847, 3_890_011])
    #expect(imageStart == record.payload.count)
  }

  @Test("a magic in the header or the image of a record is split as in any payload")
  func magicInRecord() throws {
    let id = UInt64(RecordLayout.magic)
    for (header, image) in [
      (ImageHeader(label: 1, id: id), bytes("ffd8")),
      (ImageHeader(label: 1, id: 1), bytes("ffd80000") + magic),
      (ImageHeader(labels: [Float(bitPattern: RecordLayout.magic)], id: id), magic + magic + [1]),
    ] {
      var frame: [UInt8] = []
      try appendRecord(header, image: image.span, to: &frame)
      let record = try readAll(frame)[0]
      let parsed = try record.parse()
      #expect(parsed.header == header)
      #expect(record.payload[parsed.imageStart...].elementsEqual(image))
      #expect(frame == (try framed(record.payload)))
    }
  }

  @Test("2^29 bytes are refused before they are copied")
  func tooLarge() throws {
    // Never touched, so no memory is taken for it.
    let most = [UInt8](unsafeUninitializedCapacity: 1 << 29) { $1 = 1 << 29 }
    #expect(most.count == RecordLayout.maximumPayloadByteCount + 1)
    var frame: [UInt8] = [1]
    #expect(throws: RecordError(.tooLarge(byteCount: 1 << 29), path: "", offset: 0)) {
      try appendFrame(most.span, to: &frame)
    }
    #expect(throws: RecordError(.tooLarge(byteCount: 1 << 29), path: "", offset: 0)) {
      try appendRecord(
        ImageHeader(label: 0, id: 0), image: most.span.extracting(..<((1 << 29) - 24)), to: &frame)
    }
    #expect(frame == [1])
  }
}

@Suite("indices")
struct RecordIndexTests {
  func index(_ text: String) throws -> RecordIndex {
    try withScratchFolder { folder in
      writeScratchFile(folder + "/x.idx", text.utf8)
      return try RecordIndex(path: folder + "/x.idx")
    }
  }

  @Test("MXNet's index is read, in the order of the file")
  func vector() throws {
    let index = try index("5\t0\n2\t12\n9\t32\n")
    #expect(index.entries.map(\.key) == [5, 2, 9])
    #expect(index.entries.map(\.offset) == [0, 12, 32])
    #expect(
      index.entries.map { RecordIndex.line(key: $0.key, offset: $0.offset) }.joined()
        == "5\t0\n2\t12\n9\t32\n")
  }

  @Test("CRLF, blanks, blank lines and a missing last line end are no error; ids may repeat and be large")
  func lenient() throws {
    let index = try index("1\t0\r\n\n1 \t 8\n18446744073709551615\t9223372036854775807")
    #expect(index.entries.map(\.key) == [1, 1, .max])
    #expect(index.entries.map(\.offset) == [0, 8, .max])
    #expect(try self.index("").entries.isEmpty)
  }

  @Test(
    "a line that is no index entry is named with its number, its offset and its text",
    arguments: [
      "1", "x\t8", "1\tx", "-1\t8", "1\t-8", "1\t8\t9", "1.0\t8", "18446744073709551616\t0",
      "1\t18446744073709551615", "1\t0x10", "1\t\u{e9}",
    ])
  func bad(_ line: String) throws {
    let error = #expect(throws: RecordError.self) { try index("0\t0\n\(line)\n2\t12\n") }
    #expect(error?.reason == .badIndexLine(2, text: line.replacing("\t", with: "\\t")))
    #expect(error?.offset == 4)
  }
}
