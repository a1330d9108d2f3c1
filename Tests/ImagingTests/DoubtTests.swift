import TestSupport
import Testing

@testable @_spi(Routes) import Imaging

/// What damage is, what is doubtful, and what is neither: by both decoders of JPEG, with and without pixels.
@Suite("Damage and doubt")
struct DoubtTests {
  enum Verdict { case whole, doubtful, damaged, notWhole }

  struct Change: Sendable, CustomTestStringConvertible {
    let name: String
    let verdict: Verdict
    let make: @Sendable ([UInt8]) -> [UInt8]
    var testDescription: String { name }

    init(_ name: String, _ verdict: Verdict, _ make: @escaping @Sendable ([UInt8]) -> [UInt8]) {
      (self.name, self.verdict, self.make) = (name, verdict, make)
    }
  }

  private static let changes = [
    Change("nothing", .whole) { $0 },
    Change("bytes after the end marker", .whole) { $0 + [1, 2, 3] },
    Change("another picture after it", .whole) { $0 + $0 },
    Change("fill bytes before the end marker", .whole) { beforeEnd($0, [0xff, 0xff]) },
    Change("no end marker", .doubtful) { $0.dropLast(2) },
    Change("half an end marker", .doubtful) { $0.dropLast(1) },
    Change("16 zeros left over", .doubtful) { beforeEnd($0, [UInt8](repeating: 0, count: 16)) },
    Change("400 zeros left over", .damaged) { beforeEnd($0, [UInt8](repeating: 0, count: 400)) },
    Change("40 bytes left over", .damaged) { beforeEnd($0, (1...40).map { $0 }) },
    Change("the same, and no end marker", .damaged) { beforeEnd($0, (1...40).map { $0 }).dropLast(2) },
    Change("a cut, and an end marker", .damaged) { $0.prefix($0.count / 2 + $0.count / 4) + [0xff, 0xd9] },
    Change("bytes that belong to no segment", .doubtful) { file in
      let end = 4 + (Int(file[4]) << 8) + Int(file[5])
      return file.prefix(end) + [7, 7, 7] + file.dropFirst(end)
    },
    Change("a segment that ends too early", .doubtful) { file in
      file.prefix(2) + [0xff, 0xec, 0, 4, 1, 2, 3, 4] + file.dropFirst(2)
    },
  ]

  private static let variants = [
    JPEGVariant(), JPEGVariant(subsampling: .s444), JPEGVariant(subsampling: .s440, restartInterval: 3),
    JPEGVariant(subsampling: .s411), JPEGVariant(cmyk: true), JPEGVariant(orientation: 6),
  ]

  @Test("all decoders agree on a baseline JPEG", arguments: changes, variants)
  func baseline(_ change: Change, _ variant: JPEGVariant) throws {
    for channels in [1, 3] where channels == 3 || !variant.cmyk {
      let pixels = try Pixels.noise(seed: 5, width: 90, height: 60, channels: channels)
      expect(change.verdict, change.make(try encode(pixels, quality: 80, variant: variant)))
    }
  }

  @Test("are distinguished in a progressive JPEG", arguments: changes)
  func progressive(_ change: Change) throws {
    let variant = JPEGVariant(progressive: true, restartInterval: 0)
    let file = try encode(drawn(width: 90, height: 60), quality: 80, variant: variant)
    expect(change.verdict == .damaged ? .notWhole : change.verdict, change.make(file))
  }

  @Test("fewer bytes left over than libjpeg notices are doubtful at least, a few zeros are padding")
  func fewBytes() throws {
    let file = try encode(drawn(width: 90, height: 60), quality: 80, variant: JPEGVariant())
    for count in 1...7 {
      expect(.notWhole, Self.beforeEnd(file, [UInt8](repeating: 0x5a, count: count)))
    }
    let doubt = try examine(Self.beforeEnd(file, [0]).span)
    #expect(doubt == nil || doubt?.isDamage == false)
  }

  @Test("a progressive JPEG without its last scan is doubtful")
  func scans() throws {
    let file = try encode(
      drawn(width: 90, height: 60), quality: 80, variant: JPEGVariant(progressive: true))
    let last = try #require(file.indices.dropLast().last { file[$0] == 0xff && file[$0 + 1] == 0xda })
    expect(.doubtful, file.prefix(last) + [0xff, 0xd9])
  }

  @Test("what libjpeg warns of without harm is doubtful")
  func warnings() throws {
    var file = try encode(drawn(width: 40, height: 30), quality: 80, variant: JPEGVariant())
    file[11] = 9  // JFIF 9.01
    expect(.doubtful, file)
    var sequential = try encode(drawn(width: 40, height: 30), quality: 80, variant: JPEGVariant())
    let scan = try #require(
      sequential.indices.dropLast().first { sequential[$0] == 0xff && sequential[$0 + 1] == 0xda })
    sequential[scan + 12] = 5  // the last coefficient of the scan, 63
    expect(.doubtful, sequential)
    var adobe = try encode(drawn(width: 40, height: 30), quality: 80, variant: JPEGVariant(cmyk: true))
    let name = try #require(
      adobe.indices.dropLast(5).first { Array(adobe[$0..<$0 + 5]) == Array("Adobe".utf8) })
    adobe[name + 11] = 9  // the transform
    expect(.doubtful, adobe)
  }

  @Test("a restart marker that is lost, doubled or out of order is damage")
  func restarts() throws {
    let variant = JPEGVariant(restartInterval: 2)
    let file = try encode(drawn(width: 90, height: 60), quality: 80, variant: variant)
    let marker = try #require(file.indices.dropLast().first { file[$0] == 0xff && file[$0 + 1] == 0xd1 })
    expect(.damaged, file[..<marker] + file[(marker + 2)...])
    expect(.damaged, file[..<marker] + [0xff, 0xd1] + file[marker...])
    var other = file
    other[marker + 1] = 0xd6
    expect(.damaged, other)
  }

  @Test("an invalid code is damage, also where libjpeg's fast decoder is silent")
  func codes() throws {
    let pixels = try Pixels.noise(seed: 6, width: 300, height: 300, channels: 3)
    for subsampling in [JPEGVariant.Subsampling.s420, .s411] {
      var file = try encode(pixels, quality: 90, variant: JPEGVariant(subsampling: subsampling))
      // All ones, which is never a code.
      let middle = file.count / 3
      file.replaceSubrange(
        middle..<middle + 16, with: [0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0])
      expect(.damaged, file)
    }
  }

  @Test("damage that is kept is reported")
  func kept() throws {
    let file = try encode(drawn(width: 90, height: 60), quality: 80, variant: JPEGVariant())
    for bytes in [Self.beforeEnd(file, (1...40).map { $0 }), Array(file.prefix(file.count / 2))] {
      var doubt: ImageDoubt?
      _ = try decode(bytes.span, DecodeOptions(keepDamaged: true), doubt: &doubt)
      #expect(doubt?.isDamage == true)
      #expect(
        throws: ImageError.self, performing: { _ = try decode(bytes.span, DecodeOptions(), doubt: &doubt) })
    }
  }

  @Test("a part of a picture is refused for damage outside of it")
  func window() throws {
    let file = try encode(drawn(width: 90, height: 60), quality: 80, variant: JPEGVariant())
    let damaged = Self.beforeEnd(file, (1...40).map { $0 })
    #expect(throws: ImageError.self) {
      _ = try decode(damaged.span, DecodeOptions(), window: Window(x: 0, y: 0, width: 8, height: 8)).take()
    }
  }

  private static let header = chunk("IHDR", [0, 0, 0, 8, 0, 0, 0, 2, 8, 2, 0, 0, 0])
  private static let words = Array("Title".utf8) + [0, 65]
  private static let rows = [UInt8](repeating: 0, count: 2 * 25)

  struct PNGCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let verdict: Verdict
    let chunks: [[UInt8]]

    init(_ name: String, _ verdict: Verdict, _ chunks: [[UInt8]]) {
      (testDescription, self.verdict, self.chunks) = (name, verdict, chunks)
    }
  }

  private static let pngs = [
    PNGCase("sound", .whole, [header, chunk("IDAT", stored(rows)), chunk("IEND", [])]),
    PNGCase(
      "a comment", .whole, [header, chunk("tEXt", words), chunk("IDAT", stored(rows)), chunk("IEND", [])]),
    PNGCase(
      "bytes after the end", .whole, [header, chunk("IDAT", stored(rows)), chunk("IEND", []), [1, 2, 3]]),
    PNGCase(
      "the sum of a comment", .doubtful,
      [header, chunk("tEXt", words, flip: 1), chunk("IDAT", stored(rows)), chunk("IEND", [])]),
    PNGCase(
      "the sum of a late comment", .doubtful,
      [header, chunk("IDAT", stored(rows)), chunk("tEXt", words, flip: 1), chunk("IEND", [])]),
    PNGCase(
      "the sum of tRNS", .damaged,
      [
        header, chunk("tRNS", [0, 0, 0, 0, 0, 0], flip: 1), chunk("IDAT", stored(rows)), chunk("IEND", []),
      ]),
    PNGCase(
      "the sum of the data", .damaged, [header, chunk("IDAT", stored(rows), flip: 1), chunk("IEND", [])]),
    PNGCase(
      "the sum of the end", .damaged, [header, chunk("IDAT", stored(rows)), chunk("IEND", [], flip: 1)]),
    PNGCase("no end", .damaged, [header, chunk("IDAT", stored(rows))]),
    PNGCase("no data", .damaged, [header, chunk("IEND", [])]),
    PNGCase(
      "zlib's sum", .damaged, [header, chunk("IDAT", stored(rows, flip: 1)), chunk("IEND", [])]),
    PNGCase(
      "a row missing", .damaged, [header, chunk("IDAT", stored(Array(rows.prefix(25)))), chunk("IEND", [])]),
    PNGCase(
      "a row too many", .doubtful,
      [header, chunk("IDAT", stored(rows + rows.prefix(25))), chunk("IEND", [])]),
    PNGCase(
      "data in a second place", .doubtful,
      [
        header, chunk("IDAT", stored(rows)), chunk("tEXt", words), chunk("IDAT", [1]), chunk("IEND", []),
      ]),
    PNGCase(
      "a critical chunk of no known kind", .damaged,
      [header, chunk("QUIT", words), chunk("IDAT", stored(rows)), chunk("IEND", [])]),
  ]

  @Test("are distinguished in a PNG", arguments: pngs)
  func png(_ png: PNGCase) {
    expect(png.verdict, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + png.chunks.joined())
  }

  @Test("a PNG whose data go on and on after the last row is refused before they are unpacked")
  func surplus() throws {
    let blocks = stored(Self.rows + [UInt8](repeating: 0, count: 1 << 20))
    let file: [UInt8] =
      [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + Self.header + chunk("IDAT", blocks)
      + chunk("IEND", [])
    #expect {
      try Picture(file: file)
    } throws: { error in
      (error as? ImageError)?.reason == .excessive("there are more data than its rows can hold")
    }
  }

  private static func beforeEnd(_ file: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
    file.dropLast(2) + bytes + file.suffix(2)
  }

  private func expect(
    _ verdict: Verdict, _ file: some Sequence<UInt8>, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let file = Array(file)
    let found = Result { () throws(ImageError) -> ImageDoubt? in try examine(file.span) }
    switch (verdict, found) {
    case (.whole, .success(nil)), (.notWhole, .failure), (.notWhole, .success(.some)): break
    case (.doubtful, .success(let doubt?)) where !doubt.isDamage: break
    case (.damaged, .failure(let error)):
      switch error.reason {
      case .damaged, .truncated: break
      default: Issue.record("\(error)", sourceLocation: sourceLocation)
      }
    default: Issue.record("\(found), not \(verdict)", sourceLocation: sourceLocation)
    }
    for route in [JPEGRoute.any, .libjpeg] {
      var options = DecodeOptions()
      options.route = route
      let decoded = Result { () throws(ImageError) -> ImageDoubt? in
        var doubt: ImageDoubt?
        _ = try decode(file.span, options, doubt: &doubt)
        return doubt
      }
      #expect(decoded == found, "\(route)", sourceLocation: sourceLocation)
    }
  }
}

private func bigEndian(_ value: UInt32) -> [UInt8] {
  [24, 16, 8, 0].map { (shift: UInt32) in UInt8(truncatingIfNeeded: value >> shift) }
}

private func chunk(_ name: String, _ data: [UInt8], flip: UInt32 = 0) -> [UInt8] {
  let content = Array(name.utf8) + data
  return bigEndian(UInt32(data.count)) + content + bigEndian(checksum(content) ^ flip)
}

/// A zlib stream of uncompressed bytes.
private func stored(_ bytes: [UInt8], flip: UInt32 = 0) -> [UInt8] {
  var result: [UInt8] = [0x78, 0x01]
  var (low, high): (UInt32, UInt32) = (1, 0)
  for byte in bytes {
    low = (low + UInt32(byte)) % 65_521
    high = (high + low) % 65_521
  }
  var rest = bytes[...]
  repeat {
    let part = rest.prefix(65_535)
    rest = rest.dropFirst(65_535)
    let (count, isLast) = (UInt16(part.count), rest.isEmpty)
    result += [
      isLast ? 1 : 0, UInt8(count & 255), UInt8(count >> 8), UInt8(~count & 255), UInt8(~count >> 8),
    ]
    result += part
  } while !rest.isEmpty
  return result + bigEndian((high << 16 | low) ^ flip)
}
