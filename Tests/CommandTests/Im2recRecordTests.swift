import Files
import Glibc
import Imaging
import Records
import TestSupport
import Testing

@testable import im2rec

@Suite("im2rec's record mode")
struct Im2recRecordTests {
  @Test("--pass-through stores each file's bytes behind a header with its label and id")
  func passThrough() async throws {
    try await withScratchFolder { (folder) async throws in
      let image = try photo(width: 9, height: 7)
      writeScratchFile(folder + "/r/a b.jpg", image)
      writeScratchFile(folder + "/p.lst", "7\t2.500000\ta b.jpg\n".utf8)
      let run = Im2recRun()
      #expect(await run("--pass-through", "--quiet", folder + "/p", folder + "/r") == 0)
      #expect(run.words == [])
      let header: [UInt8] = [0, 0, 0, 0, 0, 0, 0x20, 0x40, 7] + [UInt8](repeating: 0, count: 15)
      var expected: [UInt8] = [0x0a, 0x23, 0xd7, 0xce]
      let length = header.count + image.count
      expected += [UInt8(length & 255), UInt8(length >> 8), 0, 0] + header + image
      expected += [UInt8](repeating: 0, count: -length & 3)
      #expect(try readFile(folder + "/p.rec").bytes == expected)
      #expect(try readFile(folder + "/p.idx").bytes == Array("7\t0\n".utf8))
    }
  }

  @Test(
    "options reach the pixels",
    arguments: [
      ("", 24, 16, 3, "jpeg"), ("--resize 8", 12, 8, 3, "jpeg"), ("--resize 32", 48, 32, 3, "jpeg"),
      ("--center-crop", 16, 16, 3, "jpeg"), ("--center-crop --resize 4", 4, 4, 3, "jpeg"),
      ("--color 0", 24, 16, 1, "jpeg"), ("--encoding .png", 24, 16, 3, "png"),
      ("--color -1 --encoding .png --resize 8", 12, 8, 3, "png"),
    ])
  func options(_ line: String, _ width: Int, _ height: Int, _ channels: Int, _ format: String) async throws {
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/r/x.jpg", try photo(width: 24, height: 16))
      writeScratchFile(folder + "/p.lst", "0\t0\tx.jpg\n".utf8)
      let run = Im2recRun()
      let arguments = line.split(separator: " ").map(String.init)
      #expect(await run(arguments + [folder + "/p", folder + "/r"]) == 0, "\(run.words)")
      let file = try readFile(folder + "/p.rec").bytes
      let info = try probe(file.span.extracting(32...))
      #expect(info.width == width && info.height == height && info.channels == channels, "\(info)")
      #expect(info.format.rawValue == format)
    }
  }

  @Test(
    "quality is clamped to the encoder's range, as in OpenCV",
    arguments: [("101", "100"), ("0", "1"), ("-4", "1")])
  func quality(_ given: String, _ taken: String) async throws {
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/r/x.jpg", try photo(width: 24, height: 16))
      for quality in [given, taken] {
        writeScratchFile("\(folder)/\(quality)/p.lst", "0\t0\tx.jpg\n".utf8)
        #expect(await Im2recRun()("--quality", quality, "\(folder)/\(quality)/p", folder + "/r") == 0)
      }
      #expect(try readFile("\(folder)/\(given)/p.rec").bytes == readFile("\(folder)/\(taken)/p.rec").bytes)
    }
  }

  @Test("the bytes do not depend on the number of threads")
  func threads() async throws {
    try await withScratchFolder { (folder) async throws in
      var list = ""
      for i in 0..<40 {
        writeScratchFile("\(folder)/r/\(i).jpg", try photo(width: 10 + i * 7 % 90, height: 12))
        list += "\(i)\t\(i % 3).000000\t\(i).jpg\n"
      }
      var outputs: [[UInt8]] = []
      for count in ["1", "2", "5"] {
        writeScratchFile("\(folder)/\(count)/p.lst", list.utf8)
        #expect(
          await Im2recRun()("--resize", "9", "--num-thread", count, "\(folder)/\(count)/p", folder + "/r")
            == 0)
        outputs.append(
          try readFile("\(folder)/\(count)/p.rec").bytes + readFile("\(folder)/\(count)/p.idx").bytes)
      }
      #expect(outputs[0].count > 1000)
      #expect(outputs[0] == outputs[1] && outputs[0] == outputs[2])
    }
  }

  @Test("every list of the prefix is packed; one whose name only begins like it is mentioned")
  func severalLists() async throws {
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/r/x.jpg", try photo(width: 8, height: 8))
      let lists = ["p", "p_0", "p_12_train", "p_val", "pn", "p_test2", "p-60-train", "other"]
      for name in lists { writeScratchFile("\(folder)/\(name).lst", "0\t0\tx.jpg\n".utf8) }
      writeScratchFile(folder + "/p.lst.txt", [])
      writeScratchFile(folder + "/p_folder.lst/inside", [])
      let run = Im2recRun()
      #expect(await run(folder + "/p", folder + "/r") == 0)
      let records = try filesIn(folder).filter { $0.hasSuffix(".rec") }
      #expect(
        records == [
          "p-60-train.rec", "p.rec", "p_0.rec", "p_12_train.rec", "p_test2.rec", "p_val.rec", "pn.rec",
        ])
      let warned = run.lines("warning: ").map { baseName(String($0.split(separator: " ")[1])) }
      #expect(warned == ["p-60-train.lst", "p_test2.lst", "pn.lst"])
      #expect(run.lines("Creating .rec file from \(folder)/p_0.lst in \(folder)").count == 1)
      let ofFolder = Im2recRun()
      #expect(await ofFolder(folder + "/", folder + "/r") == 0)
      #expect(ofFolder.lines("Creating").count == 8)
      #expect(ofFolder.lines("warning: ").isEmpty)
    }
  }

  @Test("a prefix that is also a folder without lists stands for the list beside it")
  func prefixOfFolder() async throws {
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/p/x.jpg", try photo(width: 24, height: 16))
      writeScratchFile(folder + "/p.lst", "0\t0\tx.jpg\n".utf8)
      let run = Im2recRun()
      #expect(await run("--quiet", folder + "/p", folder + "/p") == 0, "\(run.words)")
      #expect(FileStamp(path: folder + "/p.rec") != nil)
    }
  }

  @Test("no list is an error")
  func noList() async throws {
    try await withScratchFolder { (folder) async throws in
      let run = Im2recRun()
      #expect(await run(folder + "/p", folder) == 1)
      #expect(
        run.words == [
          """
          im2rec: no list found: no file in \(folder) starts with \(folder)/p and ends with .lst
            Make one first: im2rec --list --recursive \(folder)/p \(folder)
          """
        ])
      let nowhere = Im2recRun()
      #expect(await nowhere(folder + "/none/p", folder) == 1)
      #expect(nowhere.words == ["im2rec: \(folder)/none: there is no such file or folder"])
    }
  }

  @Test("what cannot be packed is skipped, named and counted")
  func skips() async throws {
    try await withScratchFolder { (folder) async throws in
      let image = try photo(width: 40, height: 40)
      writeScratchFile(folder + "/r/good.jpg", image)
      writeScratchFile(folder + "/r/cut.jpg", image.prefix(image.count / 2))
      writeScratchFile(folder + "/r/text.jpg", "no image\n".utf8)
      let list =
        "0\t0\tgood.jpg\n1\t0\tcut.jpg\n2\t0\ttext.jpg\nx\t0\tgood.jpg\n3\t0\tmissing.jpg\n4\t1\tgood.jpg\n"
      writeScratchFile(folder + "/p.lst", list.utf8)
      let run = Im2recRun()
      #expect(await run("--num-thread", "2", folder + "/p", folder + "/r") == 2)
      let skipped = run.lines("skipped: ").map { $0.dropFirst(9).prefix { $0 != " " }.dropLast() }
      #expect(skipped == ["cut.jpg", "text.jpg", "\(folder)/p.lst:4", "missing.jpg"])
      #expect(run.words.last == "\(folder)/p.rec: 2 records, 4 skipped")
      #expect(try readFile(folder + "/p.idx").bytes.split(separator: 10).count == 2)
      let keeping = Im2recRun()
      #expect(await keeping("--keep-damaged", folder + "/p", folder + "/r") == 2)
      #expect(keeping.words.last == "\(folder)/p.rec: 3 records, 3 skipped")
    }
  }

  @Test("--strict stops at the first, and the old record file stays")
  func strict() async throws {
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/r/text.jpg", "no image\n".utf8)
      writeScratchFile(folder + "/p.lst", "2\t0\ttext.jpg\n".utf8)
      writeScratchFile(folder + "/p.rec", "old".utf8)
      let run = Im2recRun()
      #expect(await run("--strict", folder + "/p", folder + "/r") == 1)
      #expect(run.lines("im2rec: text.jpg: ").count == 1, "\(run.words)")
      #expect(try readFile(folder + "/p.rec").bytes == Array("old".utf8))
    }
  }

  @Test("an empty list is left out; only empty ones are an error")
  func emptyLists() async throws {
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/r/x.jpg", try photo(width: 8, height: 8))
      writeScratchFile(folder + "/p_0.lst", "0\t0\tx.jpg\n".utf8)
      writeScratchFile(folder + "/p_1.lst", [])
      #expect(await Im2recRun()(folder + "/p", folder + "/r") == 2)
      #expect(try filesIn(folder).filter { $0.hasSuffix(".rec") } == ["p_0.rec"])
      #expect(await Im2recRun()(folder + "/p_1", folder + "/r") == 1)
    }
  }

  @Test("several labels are stored with --pack-label, else the first, with a warning")
  func labels() async throws {
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/r/x.jpg", try photo(width: 8, height: 8))
      writeScratchFile(folder + "/p.lst", "5\t1.0\t2.5\t-3\tx.jpg\n".utf8)
      let first = Im2recRun()
      #expect(await first(folder + "/p", folder + "/r") == 0)
      #expect(first.lines("warning: ").filter { $0.contains("--pack-label") }.count == 1, "\(first.words)")
      #expect(try readFile(folder + "/p.rec").bytes[8..<16] == [0, 0, 0, 0, 0, 0, 0x80, 0x3f])
      #expect(await Im2recRun()("--pack-label", folder + "/p", folder + "/r") == 0)
      let record = try readFile(folder + "/p.rec").bytes
      #expect(record[8..<16] == [3, 0, 0, 0, 0, 0, 0, 0])
      #expect(record[32..<44] == [0, 0, 0x80, 0x3f, 0, 0, 0x20, 0x40, 0, 0, 0x40, 0xc0])
    }
  }

  @Test("lines with the same id are all packed, as im2rec.py does")
  func repeatedIDs() async throws {
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/r/x.jpg", try photo(width: 8, height: 8))
      writeScratchFile(folder + "/p.lst", "0\t0\tx.jpg\n0\t1\tx.jpg\n".utf8)
      #expect(await Im2recRun()(folder + "/p", folder + "/r") == 0)
      let lines = try readFile(folder + "/p.idx").bytes.split(separator: 10)
      #expect(lines.count == 2 && lines.allSatisfy { $0.starts(with: [0x30, 9]) })
    }
  }

  @Test("a cancelled run leaves nothing under the final names")
  func cancelled() async throws {
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/r/x.jpg", try photo(width: 8, height: 8))
      writeScratchFile(folder + "/p.lst", "0\t0\tx.jpg\n".utf8)
      let run = Im2recRun()
      let status = await withTaskGroup(of: Int32.self) { group in
        group.addTask {
          withUnsafeCurrentTask { $0?.cancel() }
          return await run(folder + "/p", folder + "/r")
        }
        return await group.next()
      }
      #expect(status == 1)
      #expect(run.lines("im2rec: stopped by").count == 1, "\(run.words)")
      #expect(try filesIn(folder).filter { $0 == "p.rec" || $0 == "p.idx" }.isEmpty)
    }
  }

  /// A JPEG with a pattern in it.
  private func photo(width: Int, height: Int) throws -> [UInt8] {
    var samples: [UInt8] = []
    for i in 0..<(width * height * 3) { samples.append(UInt8(truncatingIfNeeded: i &* i / 7)) }
    let pixels = try Pixels(width: width, height: height, channels: 3, samples: samples.span)
    return try encode(pixels, as: .jpeg(quality: 90))
  }
}
