import Files
import Glibc
import Imaging
import Records
import TestSupport
import Testing

@testable import Packing

@Suite("Packing")
struct PackTests {
  @Test("gives the same bytes for any number of jobs")
  func jobs() async throws {
    try await withScratchFolder { folder in
      let set = try makeDataSet(in: folder)
      var outputs: [[UInt8]?] = []
      for jobs in [1, 2, 3, 8] {
        var options = PackOptions()
        options.jobs = jobs
        options.resize = 32
        let out = "\(folder)/\(jobs).rec"
        let summary = try await pack(list: set.list, root: set.root, output: out, options: options)
        #expect(summary.records == 20)
        #expect(summary.skipped.isEmpty)
        #expect(summary.bytes == contents(out)?.count)
        outputs.append(contents(out))
        #expect(contents("\(folder)/\(jobs).idx") == contents("\(folder)/1.idx"))
      }
      #expect(outputs.allSatisfy { $0 != nil && $0 == outputs[0] })
    }
  }

  @Test("stores id, label and file of each line, in the list's order")
  func records() async throws {
    try await withScratchFolder { folder in
      let set = try makeDataSet(in: folder)
      var options = PackOptions()
      options.passThrough = true
      _ = try await pack(list: set.list, root: set.root, output: folder + "/x.rec", options: options)
      var list = try ListReader(set.list)
      var reader = try RecordReader(folder + "/x.rec")
      let index = try RecordIndex(path: folder + "/x.idx")
      for place in 0..<20 {
        guard case .entry(let entry, _) = try list.next(), let record = try reader.next() else {
          Issue.record("record \(place) is missing")
          return
        }
        let (header, start) = try record.parse()
        #expect(header == ImageHeader(label: Float(entry.labels[0]), id: entry.id))
        #expect(Array(record.payload[start...]) == contents(set.root + "/" + entry.path))
        #expect(index.entries[place] == RecordIndex.Entry(key: entry.id, offset: record.offset))
      }
      #expect(try reader.next() == nil)
    }
  }

  @Test("stores all labels only where that is asked for", arguments: [true, false])
  func labels(all: Bool) async throws {
    try await withScratchFolder { folder in
      writeScratchFile(folder + "/a.jpg", try smallImage(1))
      writeScratchFile(folder + "/x.lst", "7\t1.5\t2\t-3\ta.jpg\n".utf8)
      var options = PackOptions()
      options.packLabel = all
      let summary = try await pack(
        list: folder + "/x.lst", root: folder, output: folder + "/x.rec", options: options)
      var reader = try RecordReader(folder + "/x.rec")
      let header = try reader.next()?.parse().header
      #expect(header == (all ? ImageHeader(labels: [1.5, 2, -3], id: 7) : ImageHeader(label: 1.5, id: 7)))
      #expect(summary.warnings.contains { $0.contains("several labels") } == !all)
    }
  }

  @Test("crops before it resizes, and resizes the shorter side up or down", arguments: [8, 30, 64])
  func sizes(edge: Int) async throws {
    try await withScratchFolder { folder in
      writeScratchFile(folder + "/a.png", try smallImage(1, width: 50, height: 30, as: .png(level: 1)))
      writeScratchFile(folder + "/x.lst", "0\t0\ta.png\n".utf8)
      for crops in [true, false] {
        var options = PackOptions()
        options.resize = edge
        options.centerCrop = crops
        _ = try await pack(list: folder + "/x.lst", root: folder, output: folder + "/x.rec", options: options)
        var reader = try RecordReader(folder + "/x.rec")
        let record = try #require(try reader.next())
        let info = try probe(record.payload.span.extracting(24..<record.payload.count))
        #expect(info.width == (crops ? edge : 50 * edge / 30))
        #expect(info.height == edge)
      }
    }
  }

  @Test("skips what is no sound image, and says why")
  func skipping() async throws {
    try await withScratchFolder { folder in
      let whole = try smallImage(1)
      writeScratchFile(folder + "/good.jpg", whole)
      writeScratchFile(folder + "/empty.jpg", [])
      writeScratchFile(folder + "/cut.jpg", whole.prefix(whole.count / 2))
      writeScratchFile(folder + "/gif.jpg", Array("GIF89a".utf8) + [UInt8](repeating: 0, count: 40))
      writeScratchFile(folder + "/tall.png", try smallImage(2, width: 1, height: 400, as: .png(level: 1)))
      mkfifo(folder + "/fifo.jpg", 0o666)
      mkdir(folder + "/folder.jpg", 0o777)
      let expected: [(String, String)] = [
        ("empty.jpg", "the file is empty"), ("cut.jpg", "the image is cut short"),
        ("gif.jpg", "this is a GIF image"),
        ("fifo.jpg", "this is a FIFO"), ("folder.jpg", "this is a folder"),
        ("none.jpg", "there is no such file"),
        ("tall.png", "it would be 256x102400"),
      ]
      let lines = expected.enumerated().map { "\($0 + 1)\t0\t\($1.0)\n" }.joined()
      writeScratchFile(folder + "/x.lst", "0\t0\tgood.jpg\n\(lines)".utf8)
      var options = PackOptions()
      options.resize = 256
      let summary = try await pack(
        list: folder + "/x.lst", root: folder, output: folder + "/x.rec", options: options)
      #expect(summary.records == 1)
      #expect(summary.skipped.map(\.path) == expected.map(\.0))
      for (skip, wanted) in zip(summary.skipped, expected) { #expect(skip.reason.contains(wanted.1)) }

      options.strict = true
      await #expect(throws: PackingError(.strict(summary.skipped[0]))) {
        _ = try await pack(
          list: folder + "/x.lst", root: folder, output: folder + "/strict.rec", options: options)
      }
      #expect(contents(folder + "/strict.rec") == nil)
    }
  }

  @Test("packs a cut image where that is asked for, decoded or as it is", arguments: [true, false])
  func damaged(passThrough: Bool) async throws {
    try await withScratchFolder { folder in
      let whole = try smallImage(1)
      writeScratchFile(folder + "/cut.jpg", whole.dropLast(60))
      writeScratchFile(folder + "/x.lst", "0\t0\tcut.jpg\n".utf8)
      var options = PackOptions()
      options.passThrough = passThrough
      await #expect(throws: InputError.self) {
        _ = try await pack(list: folder + "/x.lst", root: folder, output: folder + "/x.rec", options: options)
      }
      options.keepDamaged = true
      let summary = try await pack(
        list: folder + "/x.lst", root: folder, output: folder + "/x.rec", options: options)
      #expect(summary.records == 1)
    }
  }

  @Test("skips damage that a decoder gets over, or names it where it is kept", arguments: [true, false])
  func leftOver(passThrough: Bool) async throws {
    try await withScratchFolder { folder in
      let whole = try smallImage(1)
      writeScratchFile(folder + "/whole.jpg", whole)
      writeScratchFile(folder + "/left.jpg", whole.dropLast(2) + (1...40) + whole.suffix(2))
      writeScratchFile(folder + "/x.lst", "0\t0\twhole.jpg\n1\t0\tleft.jpg\n".utf8)
      var options = PackOptions()
      options.passThrough = passThrough
      func run(_ options: PackOptions) async throws -> PackSummary {
        try await pack(list: folder + "/x.lst", root: folder, output: folder + "/x.rec", options: options)
      }
      let summary = try await run(options)
      #expect(summary.records == 1 && summary.skipped.map(\.path) == ["left.jpg"])
      #expect(summary.skipped.first?.reason.contains("extraneous bytes before marker") == true)
      #expect(summary.doubtful.isEmpty)
      options.keepDamaged = true
      options.strict = true
      let kept = try await run(options)
      #expect(kept.records == 2 && kept.skipped.isEmpty && kept.doubtful == summary.skipped)
      options = PackOptions()
      options.passThrough = true
      options.check = .structure
      let unseen = try await run(options)
      #expect(unseen.records == 2 && unseen.doubtful.isEmpty)
    }
  }

  @Test("packs what is doubtful, names it, and refuses it where strict", arguments: [true, false])
  func doubtful(passThrough: Bool) async throws {
    try await withScratchFolder { folder in
      let whole = try smallImage(1)
      writeScratchFile(folder + "/whole.jpg", whole)
      writeScratchFile(folder + "/open.jpg", whole.dropLast(2))
      writeScratchFile(folder + "/x.lst", "0\t0\twhole.jpg\n1\t0\topen.jpg\n".utf8)
      var options = PackOptions()
      options.passThrough = passThrough
      let summary = try await pack(
        list: folder + "/x.lst", root: folder, output: folder + "/x.rec", options: options)
      #expect(summary.records == 2 && summary.skipped.isEmpty)
      #expect(summary.doubtful.map(\.path) == ["open.jpg"])
      #expect(summary.doubtful.first?.reason.hasSuffix("the end marker is missing") == true)
      options.strict = true
      await #expect(throws: PackingError(.strict(summary.doubtful[0]))) {
        _ = try await pack(list: folder + "/x.lst", root: folder, output: folder + "/s.rec", options: options)
      }
      #expect(contents(folder + "/s.rec") == nil)
    }
  }

  @Test("skips lines that cannot be used: missing fields, bad numbers, repeated ids")
  func badLines() async throws {
    try await withScratchFolder { folder in
      writeScratchFile(folder + "/a.jpg", try smallImage(1))
      writeScratchFile(
        folder + "/x.lst", "0\t0\ta.jpg\n1\ta.jpg\nx\t0\ta.jpg\n2\tnan\ta.jpg\n0\t0\ta.jpg\n\n".utf8)
      var options = PackOptions()
      let summary = try await pack(
        list: folder + "/x.lst", root: folder, output: folder + "/x.rec", options: options)
      #expect(summary.records == 1)
      #expect(summary.skipped.map(\.path) == [2, 3, 4, 5, 6].map { "\(folder)/x.lst:\($0)" })
      options.duplicateIDs = .keep
      let kept = try await pack(
        list: folder + "/x.lst", root: folder, output: folder + "/x.rec", options: options)
      #expect(kept.records == 2)
      #expect(kept.warnings.contains { $0.contains("1 line repeats the id of an earlier line") })
    }
  }

  @Test("warns of absolute and climbing paths and of labels that do not occur")
  func warnings() async throws {
    try await withScratchFolder { folder in
      writeScratchFile(folder + "/a.jpg", try smallImage(1))
      writeScratchFile(folder + "/r/b.jpg", try smallImage(2))
      writeScratchFile(folder + "/x.lst", "0\t0\t\(folder)/a.jpg\n1\t3\t../a.jpg\n2\t0\tb.jpg\n".utf8)
      let summary = try await pack(
        list: folder + "/x.lst", root: folder + "/r", output: folder + "/x.rec", options: PackOptions())
      #expect(summary.records == 3)
      #expect(summary.warnings.contains("1 path of the list is absolute and outside \(folder)/r"))
      #expect(summary.warnings.contains { $0.contains("'..'") })
      #expect(summary.warnings.contains { $0.contains("labels go up to 3") && $0.contains("1, 2") })
    }
  }

  @Test("knows absolute paths that lie below the root, by whatever names the folders have")
  func belowRoot() async throws {
    try await withScratchFolder { folder in
      writeScratchFile(folder + "/r/b.jpg", try smallImage(2))
      symlink(folder + "/r", folder + "/link")
      let lines = ["r/b.jpg", "link/b.jpg", "r/../r/b.jpg", "./r/b.jpg"].enumerated().map {
        "\($0)\t0\t\(folder)/\($1)\n"
      }
      writeScratchFile(folder + "/x.lst", lines.joined().utf8)
      for root in ["/r", "/link", "/r/"] {
        let summary = try await pack(
          list: folder + "/x.lst", root: folder + root, output: folder + "/x.rec", options: PackOptions())
        #expect(
          summary.records == 4 && !summary.warnings.contains { $0.contains("absolute") },
          "\(summary.warnings)")
      }
    }
  }

  @Test("names the file that looks like one that is not there")
  func lookalikes() async throws {
    try await withScratchFolder { folder in
      let root = folder + "/root"
      let image = try smallImage(1)
      for name in ["e\u{301}/1.jpg", "B/X.JPG", "c/1.jpg", "c/2.jpg", "c/2.JPG"] {
        writeScratchFile(root + "/" + name, image)
      }
      #expect(
        lookalike(of: "\u{e9}/1.jpg", root: root).map { Array($0.utf8) } == Array("e\u{301}/1.jpg".utf8))
      #expect(lookalike(of: "b/x.jpg", root: root) == "B/X.JPG")
      for none in ["c/1.jpg", "c/3.jpg", "c/2.Jpg", "d/1.jpg", "", "/"] {
        #expect(lookalike(of: none, root: root) == nil, "\(none)")
      }
      writeScratchFile(folder + "/x.lst", Array("0\t0\t\u{e9}/1.jpg\n1\t0\tc/1.jpg\n".utf8))
      let summary = try await pack(
        list: folder + "/x.lst", root: root, output: folder + "/x.rec", options: PackOptions())
      #expect(summary.records == 1 && summary.skipped.count == 1)
      #expect(
        summary.warnings.contains { $0.hasSuffix("is, which differs only in its Unicode normalization") })
      writeScratchFile(folder + "/x.lst", Array("0\t0\tb/x.jpg\n1\t0\tb/X.JPG\n".utf8))
      let error = await #expect(throws: InputError.self) {
        try await pack(list: folder + "/x.lst", root: root, output: folder + "/y.rec", options: PackOptions())
      }
      #expect(
        "\(try #require(error))".contains("b/x.jpg is not there, but B/X.JPG is, which differs only in case"))
    }
  }

  @Test("reads backslashes as slashes where there is no such file, and says so")
  func backslashes() async throws {
    try await withScratchFolder { folder in
      writeScratchFile(folder + "/r/a/1.jpg", try smallImage(1))
      writeScratchFile(folder + "/r/a\\2.jpg", try smallImage(2))
      writeScratchFile(folder + "/x.lst", "0\t0\ta\\1.jpg\n1\t0\ta\\2.jpg\n2\t0\ta\\3.jpg\n".utf8)
      let summary = try await pack(
        list: folder + "/x.lst", root: folder + "/r", output: folder + "/x.rec", options: PackOptions())
      #expect(summary.records == 2 && summary.skipped.map(\.path) == ["a\\3.jpg"])
      #expect(summary.warnings.contains { $0.hasPrefix("3 paths of the list contain backslashes") })
    }
  }

  @Test("reads a list in InsightFace's columns, and says so")
  func insightFace() async throws {
    try await withScratchFolder { folder in
      for name in ["1", "2"] { writeScratchFile("\(folder)/a/\(name).jpg", try smallImage(1)) }
      writeScratchFile(folder + "/x.lst", "1\ta/1.jpg\t0\n1\ta/2.jpg\t1\n".utf8)
      let summary = try await pack(
        list: folder + "/x.lst", root: folder, output: folder + "/x.rec", options: PackOptions())
      #expect(summary.records == 2 && summary.skipped.isEmpty)
      #expect(summary.warnings.contains { $0.hasPrefix("the list has InsightFace's columns") })
      #expect(try info(folder + "/x.rec").labels == ["0": 1, "1": 1])
    }
  }

  @Test("names a list that is something else as a whole", arguments: ["pack", "scan"])
  func otherKind(how: String) async {
    await withScratchFolder { folder in
      let list = folder + "/x.lst"
      writeScratchFile(list, [0x50, 0x4b, 3, 4] + [UInt8](repeating: 10, count: 500))
      let error = await #expect(throws: InputError.self) {
        if how == "scan" { try checkIsList(list) }
        _ = try await pack(list: list, root: folder, output: folder + "/x.rec", options: PackOptions())
      }
      #expect(
        error?.description
          == "\(list): this is a ZIP archive, not a list: lines of index, label and path with tabs between")
    }
  }

  @Test(
    "ends where the root is moved while it reads, and leaves the former file; one missing image is skipped")
  func movedRoot() async throws {
    try await withScratchFolder { folder in
      let set = try makeDataSet(in: folder, count: 40)
      let former = Array("former".utf8)
      for name in ["x.rec", "x.idx"] { writeScratchFile(folder + "/" + name, former) }
      var options = PackOptions()
      let error = await #expect(throws: FileError.self) {
        _ = try await pack(list: set.list, root: set.root, output: folder + "/x.rec", options: options) {
          if $0.done == 5 { rename(set.root, folder + "/moved") }
        }
      }
      #expect(error == FileError(.wentAway, path: set.root))
      #expect(contents(folder + "/x.rec") == former && contents(folder + "/x.idx") == former)
      // Another folder of that name is not the one that was there.
      mkdir(set.root, 0o777)
      rename(folder + "/moved/a", set.root + "/a")
      rmdir(folder + "/moved")
      unlink(set.root + "/a/7.png")
      options.resume = true
      let summary = try await pack(
        list: set.list, root: set.root, output: folder + "/x.rec", options: options)
      #expect(
        summary.records == 39 && summary.skipped.count == 41 && summary.skipped.first?.path == "a/7.png")
    }
  }

  @Test("in parts that are merged gives the records of the whole", arguments: [1, 2, 3, 7, 30])
  func parts(count: Int) async throws {
    try await withScratchFolder { folder in
      let set = try makeDataSet(in: folder)
      _ = try await pack(
        list: set.list, root: set.root, output: folder + "/whole.rec", options: PackOptions())
      var parts: [String] = []
      for index in 0..<count {
        var options = PackOptions()
        options.part = ListShard(index: index, count: count)
        let path = "\(folder)/\(index).rec"
        do {
          _ = try await pack(list: set.list, root: set.root, output: path, options: options)
          parts.append(path)
        } catch let error as InputError {
          // More parts than lines: some are empty.
          #expect(count == 30 && error.description.contains("no line of the list can be used"), "\(error)")
        }
      }
      let merged = try merge(parts, into: folder + "/merged.rec")
      #expect(merged.records == 20)
      #expect(contents(folder + "/merged.rec") == contents(folder + "/whole.rec"))
      #expect(contents(folder + "/merged.idx") == contents(folder + "/whole.idx"))
    }
  }
}
