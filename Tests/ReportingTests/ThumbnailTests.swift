import Files
import Imaging
import Records
import Reporting
import TestSupport
import Testing

/// A picture of one grey, the left half darker by 100.
private func picture(_ width: Int, _ height: Int, level: UInt8 = 200) throws -> Pixels {
  var samples: [UInt8] = []
  for place in 0..<width * height {
    let value = place % width < width / 2 ? level - 100 : level
    samples += [value, value, value]
  }
  return try Pixels(width: width, height: height, channels: 3, samples: samples.span)
}

private func jpeg(_ width: Int, _ height: Int, level: UInt8 = 200, orientation: Int = 1) throws -> [UInt8] {
  try encode(
    picture(width, height, level: level), quality: 90, variant: JPEGVariant(orientation: orientation))
}

/// A picture that is hard to press small, and no other seed has.
private func noise(_ seed: UInt64) throws -> [UInt8] {
  var generator = SplitMix64(seed: seed)
  let samples = generator.bytes(120 * 90 * 3)
  return try encode(
    Pixels(width: 120, height: 90, channels: 3, samples: samples.span), as: .jpeg(quality: 90))
}

@Suite("Thumbnails")
struct ThumbnailTests {
  @Test(
    "have 96 pixels on their longer side, upright, and are not enlarged",
    arguments: [
      (200, 100, 1, 96, 48), (100, 200, 1, 48, 96), (200, 100, 6, 48, 96), (100, 200, 8, 96, 48),
      (200, 100, 3, 96, 48), (96, 96, 1, 96, 96), (97, 97, 1, 96, 96), (20, 10, 1, 20, 10),
      (10, 20, 6, 20, 10),
      (1, 500, 1, 1, 96), (2_000, 3, 1, 96, 1),
    ])
  func size(_ width: Int, _ height: Int, _ orientation: Int, _ wide: Int, _ high: Int) async throws {
    let file = try jpeg(width, height, orientation: orientation)
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/class/a.jpg", file)
      let thumbnails = try await Thumbnails(of: ["class/a.jpg"], from: ImageSource(folder: folder))
      let thumbnail = try #require(thumbnails["class/a.jpg"])
      #expect(thumbnail.width == wide && thumbnail.height == high)
      let info = try probe(thumbnail.jpeg.span)
      #expect(info.format == .jpeg && info.width == wide && info.height == high && info.orientation == 1)
      #expect(thumbnails.byteCount == thumbnail.jpeg.count && thumbnails.count == 1)
    }
  }

  @Test("hold the mean of what they stand for, turned where the image is")
  func content() async throws {
    let file = try jpeg(192, 192, orientation: 6)
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/a.jpg", file)
      let thumbnails = try await Thumbnails(of: ["a.jpg"], from: ImageSource(folder: folder))
      let thumbnail = try #require(thumbnails["a.jpg"])
      let pixels = try decode(thumbnail.jpeg.span)
      let (top, bottom) = pixels.withBytes { bytes in
        (
          bytes.unsafeLoad(fromByteOffset: (10 * 96 + 48) * 3, as: UInt8.self),
          bytes.unsafeLoad(fromByteOffset: (86 * 96 + 48) * 3, as: UInt8.self)
        )
      }
      // Orientation 6: the left of what is stored is the top of what is seen.
      #expect(abs(Int(top) - 100) < 4 && abs(Int(bottom) - 200) < 4)
    }
  }

  @Test("are made of the most wanted images as far as the budget reaches, the same for any number of jobs")
  func budget() async throws {
    let files = try (0..<60).map { try noise(UInt64($0)) }
    try await withScratchFolder { (folder) async throws in
      for (index, file) in files.enumerated() { writeScratchFile("\(folder)/\(index).jpg", file) }
      let wanted = (0..<60).reversed().map { "\($0).jpg" }
      let source = ImageSource(folder: folder)
      var options = ThumbnailOptions()
      let all = try await Thumbnails(of: wanted, from: source, options)
      #expect(all.count == 60 && all.leftOutCount == 0 && all.unreadable.isEmpty)
      for (count, jobs) in [(35, 1), (35, 2), (35, 5), (1, 1), (1, 4)] {
        options.jobs = jobs
        options.byteBudget = wanted.prefix(count).reduce(0) { $0 + (all[$1]?.jpeg.count ?? 0) } + 1
        let some = try await Thumbnails(of: wanted, from: source, options)
        #expect(some.count == count && some.leftOutCount == 60 - count)
        #expect(some.byteCount == options.byteBudget - 1)
        for path in wanted.prefix(count) { #expect(some[path] == all[path]) }
        for path in wanted.dropFirst(count) { #expect(some[path] == nil) }
      }
      options.byteBudget = 0
      let none = try await Thumbnails(of: wanted, from: source, options)
      #expect(none.count == 0 && none.leftOutCount == 60)
    }
  }

  @Test("are left out with the reason where an image cannot be read, and go on behind it")
  func unreadable() async throws {
    let file = try jpeg(200, 100)
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/a.jpg", file)
      writeScratchFile(folder + "/text.jpg", "no image".utf8)
      writeScratchFile(folder + "/cut.jpg", file.prefix(file.count / 2))
      writeScratchFile(folder + "/empty.jpg", [])
      writeScratchFile(folder + "/large.jpg", try jpeg(300, 300))
      var options = ThumbnailOptions()
      options.maximumPixelCount = 50_000
      let wanted = [
        "none.jpg", "text.jpg", "cut.jpg", "empty.jpg", "large.jpg", "a.jpg\u{0}.png", "", "a.jpg", "a.jpg",
        "a.jpg/b", String(repeating: "x", count: 4096),
      ]
      let thumbnails = try await Thumbnails(of: wanted, from: ImageSource(folder: folder), options)
      #expect(thumbnails.count == 1 && thumbnails["a.jpg"] != nil && thumbnails.leftOutCount == 0)
      #expect(thumbnails.unreadable.map(\.path) == wanted.filter { $0 != "a.jpg" })
      for (item, words) in zip(
        thumbnails.unreadable,
        [
          "there is no such file", "JPEG or PNG is expected", "cut short", "empty", "more than the 50000",
          "a zero byte", "a folder", "a part of this path is a file", "longer than the system allows",
        ])
      { #expect(item.reason.contains(words), "\(item)") }
    }
  }

  @Test("belong to paths by their bytes: names that look the same are two")
  func spellings() async throws {
    let (composed, apart) = ("\u{E9}.jpg", "e\u{301}.jpg")
    let files = [try jpeg(50, 10), try jpeg(10, 50)]
    try await withScratchFolder { (folder) async throws in
      writeScratchFile("\(folder)/\(composed)", files[0])
      writeScratchFile("\(folder)/\(apart)", files[1])
      let thumbnails = try await Thumbnails(of: [composed, apart], from: ImageSource(folder: folder))
      #expect(thumbnails[composed]?.width == 50 && thumbnails[apart]?.width == 10)
    }
  }

  @Test("come from records by id, and by path where a list is beside them; with and without an index")
  func records() async throws {
    var records: [UInt8] = []
    var index = ""
    for id in [7, 8, 9] {
      index += RecordIndex.line(key: UInt64(id), offset: records.count)
      let image = id == 9 ? Array("no image".utf8) : try jpeg(10 * id, 10)
      try appendRecord(ImageHeader(label: 0, id: UInt64(id)), image: image.span, to: &records)
    }
    let (file, lines) = (records, index)
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/v.rec", file)
      for hasIndex in [false, true] {
        if hasIndex { writeScratchFile(folder + "/v.idx", lines.utf8) }
        let source = try ImageSource(records: folder + "/v.rec")
        let thumbnails = try await Thumbnails(of: ["8", "7", "9", "10", "b.jpg"], from: source)
        #expect(thumbnails["7"]?.width == 70 && thumbnails["8"]?.width == 80 && thumbnails.count == 2)
        #expect(thumbnails.unreadable.map(\.path) == ["9", "10", "b.jpg"])
        #expect(thumbnails.unreadable[1].reason == "it is not among the records")
      }
      writeScratchFile(folder + "/v.lst", "7\t0\ta.jpg\n8\t0\tb.jpg\n".utf8)
      let thumbnails = try await Thumbnails(
        of: ["b.jpg", "a.jpg"], from: ImageSource(records: folder + "/v.rec"))
      #expect(thumbnails["a.jpg"]?.width == 70 && thumbnails["b.jpg"]?.width == 80)
      #expect(throws: RecordError.self) { try ImageSource(records: folder + "/none.rec") }
      // An index that is of another file: the records there are none.
      writeScratchFile(folder + "/v.idx", "7\t4\n8\t99999999\n".utf8)
      let wrong = try await Thumbnails(of: ["7", "8"], from: ImageSource(records: folder + "/v.rec"))
      #expect(wrong.count == 0 && wrong.unreadable.count == 2)
    }
  }

  @Test("stop when they are no longer wanted")
  func cancelled() async throws {
    try await withScratchFolder { (folder) async throws in
      let task = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return try await Thumbnails(of: ["a.jpg"], from: ImageSource(folder: folder))
      }
      await #expect(throws: CancellationError.self) { try await task.value }
    }
  }
}
