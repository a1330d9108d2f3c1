import Files
import Glibc
import Imaging
import Records
import TestSupport
import Testing

@testable import Packing

@Suite("Verifying")
struct VerifyTests {
  @Test("finds nothing wrong with what pack made")
  func sound() async throws {
    try await withScratchFolder { folder in
      let path = try await packed(in: folder)
      let result = try await verify(path, options: VerifyOptions())
      #expect(result.records == 20)
      #expect(result.ok == 20)
      #expect(result.bad.isEmpty)
      #expect(result.indexEntries == 20)
    }
  }

  @Test("names offset and id of each damaged record, and salvages the others")
  func damaged() async throws {
    try await withScratchFolder { folder in
      let path = try await packed(in: folder)
      let index = try RecordIndex(path: folder + "/x.idx")
      var bytes = try #require(contents(path))
      // The magic of record 3, the image header of record 7 and the last bytes of the file.
      bytes[index.entries[3].offset] ^= 0xFF
      for place in 0..<8 { bytes[index.entries[7].offset + 8 + 24 + place] = 0 }
      writeScratchFile(path, bytes.dropLast(4))
      var options = VerifyOptions()
      options.salvage = folder + "/whole.rec"
      options.jobs = 3
      let result = try await verify(path, options: options)
      #expect(result.records == 20)
      #expect(result.ok == 17)
      let offsets = Set(result.bad.filter { !$0.reason.contains(".idx") }.map(\.offset))
      #expect(offsets == Set([3, 7, 19].map { index.entries[$0].offset }))
      #expect(result.bad.contains { $0.id == index.entries[7].key })
      let salvaged = try await verify(folder + "/whole.rec", options: VerifyOptions())
      #expect(salvaged.ok == 17)
      #expect(salvaged.bad.isEmpty)
    }
  }

  @Test("tells damaged images from doubtful ones, and keeps the doubtful", arguments: [false, true])
  func doubtful(keepsDamaged: Bool) async throws {
    try await withScratchFolder { folder in
      let whole = try smallImage(1)
      var file: [UInt8] = []
      let left = whole.dropLast(2) + (1...40) + whole.suffix(2)
      var offsets: [Int] = []
      for (id, image) in [whole, whole.dropLast(2), Array(left), whole + [1, 2, 3]].enumerated() {
        offsets.append(file.count)
        try appendRecord(ImageHeader(label: 0, id: UInt64(id)), image: image.span, to: &file)
      }
      writeScratchFile(folder + "/x.rec", file)
      var options = VerifyOptions()
      options.keepDamaged = keepsDamaged
      options.salvage = folder + "/s.rec"
      let result = try await verify(folder + "/x.rec", options: options)
      #expect(result.records == 4 && result.ok == (keepsDamaged ? 4 : 3))
      #expect(result.bad.map(\.offset) == (keepsDamaged ? [] : [offsets[2]]))
      #expect(result.doubtful.map(\.offset) == (keepsDamaged ? [offsets[1], offsets[2]] : [offsets[1]]))
      #expect(result.doubtful.first?.id == 1)
      let salvaged = try await verify(folder + "/s.rec", options: VerifyOptions())
      #expect(salvaged.records == result.ok)
    }
  }

  @Test("counts no record where none begins, and damaged ones where some do", arguments: [0, 100])
  func other(byteCount: Int) async throws {
    try await withScratchFolder { folder in
      writeScratchFile(folder + "/x.rec", [UInt8](repeating: 7, count: byteCount))
      let result = try await verify(folder + "/x.rec", options: VerifyOptions())
      #expect(result.records == 0 && result.ok == 0)
      #expect(result.bad.count == (byteCount == 0 ? 0 : 1))
      let path = try await packed(in: folder)
      let first = try #require(contents(path)).prefix(40)
      writeScratchFile(folder + "/y.rec", first)
      let cut = try await verify(folder + "/y.rec", options: VerifyOptions())
      #expect(cut.records == 1 && cut.bad.count == 1)
    }
  }

  @Test("compares the index with the records, and writes it anew")
  func index() async throws {
    try await withScratchFolder { folder in
      let path = try await packed(in: folder)
      let whole = try #require(contents(folder + "/x.idx"))
      let lines = whole.split(separator: UInt8(ascii: "\n"))
      let changed = lines.dropFirst().map { $0 + [10] }.joined() + Array("77\t2\n".utf8)
      writeScratchFile(folder + "/x.idx", changed)
      let result = try await verify(path, options: VerifyOptions())
      #expect(result.ok == 20)
      #expect(result.bad.count == 2)
      #expect(result.bad.contains { $0.reason.contains("no entry for this record") })
      #expect(result.bad.contains { $0.reason.contains("no intact record starts here") && $0.offset == 2 })
      var options = VerifyOptions()
      options.rebuildsIndex = true
      let again = try await verify(path, options: options)
      #expect(again.bad.isEmpty)
      #expect(contents(folder + "/x.idx") == whole)
    }
  }
}

@Suite("Extracting and packing again")
struct ExtractTests {
  @Test("gives the same records, packed labels included", arguments: [true, false])
  func roundTrip(packLabel: Bool) async throws {
    try await withScratchFolder { folder in
      let set = try makeDataSet(in: folder)
      if packLabel {
        let text = String(decoding: try #require(contents(set.list)), as: UTF8.self)
        writeScratchFile(set.list, text.replacing(".000000\t", with: ".000000\t0.25\t").utf8)
      }
      var options = PackOptions()
      options.packLabel = packLabel
      _ = try await pack(list: set.list, root: set.root, output: folder + "/x.rec", options: options)
      let result = try extract(folder + "/x.rec", to: folder + "/out")
      #expect(result.images == 20)
      #expect(result.folders == 2)
      options.passThrough = true
      _ = try await pack(
        list: result.list, root: folder + "/out", output: folder + "/y.rec", options: options)
      #expect(contents(folder + "/y.rec") == contents(folder + "/x.rec"))
      #expect(contents(folder + "/y.idx") == contents(folder + "/x.idx"))
      #expect(throws: PackingError.self) { _ = try extract(folder + "/x.rec", to: folder + "/out") }
    }
  }

  @Test("names folders by class, and keeps images of one id apart")
  func names() throws {
    try withScratchFolder { folder in
      var file: [UInt8] = []
      let jpeg = try smallImage(1)
      let png = try smallImage(2, as: .png(level: 1))
      for _ in 0..<2 { try appendRecord(ImageHeader(label: 1, id: 5), image: jpeg.span, to: &file) }
      try appendRecord(ImageHeader(label: 0, id: 6), image: png.span, to: &file)
      writeScratchFile(folder + "/x.rec", file)
      let result = try extract(folder + "/x.rec", to: folder + "/out", classes: ["cat", "dog"])
      #expect(result.images == 3)
      #expect(contents(folder + "/out/dog/5.jpg") != nil)
      #expect(contents(folder + "/out/dog/5-2.jpg") != nil)
      #expect(contents(folder + "/out/cat/6.png") != nil)
    }
  }

  @Test("makes nothing where a label has no name", arguments: [Float(2), 0.5, -1])
  func namelessLabel(_ label: Float) throws {
    try withScratchFolder { folder in
      var file: [UInt8] = []
      let jpeg = try smallImage(1)
      try appendRecord(ImageHeader(label: 1, id: 5), image: jpeg.span, to: &file)
      let offset = file.count
      try appendRecord(ImageHeader(label: label, id: 6), image: jpeg.span, to: &file)
      writeScratchFile(folder + "/x.rec", file)
      let error = #expect(throws: PackingError.self) {
        _ = try extract(folder + "/x.rec", to: folder + "/out", classes: ["cat", "dog"])
      }
      let shown = label == 0.5 ? "0.5" : "\(Int(label))"
      #expect(
        error?.description
          == "\(folder)/x.rec: byte \(offset): the label \(shown) has no class name; the 2 names are for the labels 0 to 1"
      )
      #expect(scratchNames(folder + "/out") == [])
      #expect(try extract(folder + "/x.rec", to: folder + "/out").images == 2)
    }
  }

  @Test(
    "skips labels that no list can hold, so that the list can be packed", arguments: [Float.nan, .infinity])
  func unlistable(_ label: Float) async throws {
    try await withScratchFolder { folder in
      var file: [UInt8] = []
      let jpeg = try smallImage(1)
      try appendRecord(ImageHeader(label: 1, id: 5), image: jpeg.span, to: &file)
      let offset = file.count
      try appendRecord(ImageHeader(label: label, id: 6), image: jpeg.span, to: &file)
      try appendRecord(ImageHeader(labels: [1, label], id: 7), image: jpeg.span, to: &file)
      writeScratchFile(folder + "/x.rec", file)
      let result = try extract(folder + "/x.rec", to: folder + "/out")
      #expect(result.images == 1 && result.skipped.count == 2)
      #expect(result.skipped[0].path == "\(folder)/x.rec:\(offset)")
      let packed = try await pack(
        list: result.list, root: folder + "/out", output: folder + "/y.rec", options: PackOptions())
      #expect(packed.records == 1 && packed.skipped.isEmpty)
    }
  }
}

@Suite("Face sets, whose record 0 and identity records carry labels and no image")
struct FaceSetTests {
  private func faceSet(in folder: String) throws -> String {
    var file: [UInt8] = []
    let none: [UInt8] = []
    try appendRecord(ImageHeader(labels: [5, 7], id: 0), image: none.span, to: &file)
    for id in 1..<5 {
      let image = try smallImage(id)
      try appendRecord(ImageHeader(labels: [Float(id / 3), 1], id: UInt64(id)), image: image.span, to: &file)
    }
    try appendRecord(ImageHeader(labels: [1, 3], id: 5), image: none.span, to: &file)
    try appendRecord(ImageHeader(labels: [3, 5], id: 6), image: none.span, to: &file)
    writeScratchFile(folder + "/train.rec", file)
    return folder + "/train.rec"
  }

  @Test("are sound to verify, counted by info, and extracted into one folder a label")
  func whole() async throws {
    try await withScratchFolder { folder in
      let path = try faceSet(in: folder)
      let checked = try await verify(path, options: VerifyOptions())
      #expect(checked.ok == 7)
      #expect(checked.bad.isEmpty)
      #expect(checked.labelRecords == 3)
      let found = try info(path)
      #expect(found.records == 7)
      #expect(found.labelRecords == 3)
      #expect(found.labels == ["0": 2, "1": 2])
      #expect(found.labelWidth == 2)
      #expect(found.encodings == ["jpeg": 4])
      let result = try extract(path, to: folder + "/out")
      #expect(result.images == 4)
      #expect(result.labelRecords == 3)
      #expect(result.skipped.isEmpty)
      #expect(contents(folder + "/out/1/4.jpg") != nil)
    }
  }
}

@Suite("Merging")
struct MergeTests {
  @Test("refuses two records of one id, and renumbers where asked")
  func ids() async throws {
    try await withScratchFolder { folder in
      let path = try await packed(in: folder)
      writeScratchFile(folder + "/y.rec", try #require(contents(path)))
      #expect(throws: PackingError.self) {
        _ = try merge([path, folder + "/y.rec"], into: folder + "/z.rec")
      }
      #expect(contents(folder + "/z.rec") == nil)
      let merged = try merge([path, folder + "/y.rec"], into: folder + "/z.rec", renumbers: true)
      #expect(merged.records == 40)
      let index = try RecordIndex(path: folder + "/z.idx")
      #expect(index.entries.map(\.key) == Array(0..<40))
      let checked = try await verify(folder + "/z.rec", options: VerifyOptions())
      #expect(checked.bad.isEmpty)
      #expect(throws: PackingError.self) { _ = try merge([path], into: path) }
    }
  }

  /// Parts of a list of 24 images, packed as `x.part000.rec` and so on, or with names of their own.
  private func parts(
    in folder: String, count: Int, shuffled: Bool = false, names: (Int) -> String,
    options: (Int) -> PackOptions = { _ in PackOptions() }
  ) async throws -> [String] {
    let set = try makeDataSet(in: folder, count: 12)
    var lines = String(decoding: contents(set.list) ?? [], as: UTF8.self).split(separator: "\n")
    if shuffled {
      var random = SplitMix64(seed: 3)
      lines.shuffle(using: &random)
    }
    writeScratchFile(folder + "/x.lst", (lines.joined(separator: "\n") + "\n").utf8)
    var paths: [String] = []
    for index in 0..<count {
      var options = options(index)
      options.part = ListShard(index: index, count: count)
      let path = folder + "/" + names(index)
      _ = try await pack(list: folder + "/x.lst", root: set.root, output: path, options: options)
      paths.append(path)
    }
    return paths
  }

  private func refusal(_ parts: [String], in folder: String) -> String? {
    let error = #expect(throws: PackingError.self) { _ = try merge(parts, into: folder + "/z.rec") }
    #expect(contents(folder + "/z.rec") == nil)
    guard case .parts(let sentence)? = error?.reason else { return nil }
    return sentence
  }

  @Test("refuses parts that are missing, given twice or in another order, by their names")
  func names() async throws {
    try await withScratchFolder { folder in
      let parts = try await parts(in: folder, count: 3) { "x.part00\($0).rec" }
      #expect(
        refusal([parts[0], parts[2]], in: folder)?.contains("part 1 of \(folder)/x is missing") == true)
      #expect(refusal([parts[1], parts[2]], in: folder)?.contains("part 0 of") == true)
      #expect(
        refusal([parts[0], parts[2], parts[1]], in: folder)?.contains(
          "but part 1 is expected at this position")
          == true)
      #expect(refusal([parts[0], parts[0], parts[1]], in: folder)?.contains("given twice") == true)
      // The last one is missed by the list alone.
      #expect(
        refusal([parts[0], parts[1]], in: folder)?.hasSuffix(
          "lines of \(folder)/x.lst have no records: is a part missing?")
          == true)
      #expect(refusal([parts[0]], in: folder) != nil)
      #expect(try merge(parts, into: folder + "/z.rec").records == 24)
      #expect(try merge([parts[2], parts[0]], into: folder + "/y.rec", checksParts: false).records == 16)
    }
  }

  @Test(
    "refuses parts whose ids leave a part out or fall, where names tell nothing", arguments: [false, true])
  func ids(shuffled: Bool) async throws {
    try await withScratchFolder { folder in
      let parts = try await parts(in: folder, count: 3, shuffled: shuffled) { "p\($0).rec" }
      #expect(refusal([parts[0], parts[2]], in: folder)?.contains("is a part missing?") == true)
      if !shuffled {
        #expect(refusal([parts[1], parts[0], parts[2]], in: folder)?.contains("belongs before") == true)
        #expect(refusal([parts[1], parts[2]], in: folder)?.contains("is a part missing?") == true)
      }
      #expect(try merge(parts, into: folder + "/z.rec").records == 24)
    }
  }

  @Test("takes parts of which single images were left out")
  func skips() async throws {
    try await withScratchFolder { folder in
      let set = try makeDataSet(in: folder, count: 12)
      // At the end of one part and at the start of the next.
      for name in ["a/7.png", "a/8.jpg", "b/0.jpg"] { unlink(set.root + "/" + name) }
      for stem in ["x.part00", "p"] {
        var paths: [String] = []
        writeScratchFile(folder + "/x.lst", contents(set.list) ?? [])
        for index in 0..<3 {
          var options = PackOptions()
          options.part = ListShard(index: index, count: 3)
          paths.append("\(folder)/\(stem)\(index).rec")
          _ = try await pack(list: set.list, root: set.root, output: paths[index], options: options)
        }
        #expect(try merge(paths, into: "\(folder)/z.rec").records == 21)
      }
    }
  }

  @Test("refuses parts that were packed with other options")
  func options() async throws {
    try await withScratchFolder { folder in
      let encodings = try await parts(in: folder, count: 2) {
        "p\($0).rec"
      } options: {
        var options = PackOptions()
        options.encoding = $0 == 0 ? .jpg : .png
        return options
      }
      #expect(
        refusal(encodings, in: folder)?.hasSuffix(
          "holds a JPEG image, each of \(folder)/p1.rec a PNG image: the files were packed with different options"
        )
          == true)
    }
  }

  @Test("stops at a damaged record")
  func damage() async throws {
    try await withScratchFolder { folder in
      let path = try await packed(in: folder)
      writeScratchFile(path, try #require(contents(path)).dropLast(4))
      #expect(throws: RecordError.self) { _ = try merge([path], into: folder + "/z.rec") }
      #expect(contents(folder + "/z.rec") == nil)
    }
  }
}

/// Twenty records with their index.
func packed(in folder: String) async throws -> String {
  let set = try makeDataSet(in: folder)
  _ = try await pack(list: set.list, root: set.root, output: folder + "/x.rec", options: PackOptions())
  return folder + "/x.rec"
}
