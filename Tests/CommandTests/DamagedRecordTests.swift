import TestSupport
import Testing

@Suite("A damaged .rec or .idx")
struct DamagedRecordTests {
  private static let verbs = [
    ["info", "x.rec"], ["verify", "x.rec"], ["extract", "x.rec", "images", "--overwrite"],
    ["merge", "m.rec", "x.rec"],
    ["tensors", "x.rec", "-o", "t.npy", "--shape", "3,8,8"], ["bench", "decode", "x.rec", "--runs", "1"],
  ]

  @Test("is named with its byte by every verb, which neither crashes nor hangs", arguments: verbs)
  func damage(_ verb: [String]) throws {
    try withRecords(each: 2) { folder in
      let whole = try #require(finalFiles(folder)["in.rec"])
      let second = try #require(secondRecord(whole))
      var wrongMagic = whole
      wrongMagic[second] ^= 0xff
      var tooLong = whole
      tooLong[second + 4..<second + 8] = [0xff, 0xff, 0xff, 0x1f]
      var continued = whole
      continued[second + 7] |= 0x20
      for bytes in [
        wrongMagic, tooLong, continued, Array(whole.dropLast(4)), Array(whole.prefix(second + 6)),
      ] {
        writeScratchFile(folder + "/x.rec", bytes)
        let run = imrec.run(verb, in: folder, wrapper: ["prlimit", "--as=1073741824"], seconds: 20)
        #expect(run.status == 1 || run.status == 2, "\(run)")
        // The benchmark only counts.
        if verb[0] != "bench" {
          let text = run.output + run.errors
          #expect(text.contains("byte ") || text.contains("x.rec:"), "\(run)")
        }
      }
    }
  }

  @Test("is salvaged: the whole records are kept with an index")
  func salvage() throws {
    try withRecords(each: 2) { folder in
      var bytes = try #require(finalFiles(folder)["in.rec"])
      let second = try #require(secondRecord(bytes))
      bytes[second] ^= 0xff
      writeScratchFile(folder + "/x.rec", bytes)
      let run = imrec.run(["verify", "x.rec", "--salvage", "s.rec", "--json"], in: folder)
      #expect(run.status == 2 && run.output.contains("\"offset\" : \(second)"), "\(run)")
      let again = imrec.run(["verify", "s.rec"], in: folder)
      #expect(
        again.status == 0 && again.output.contains("3 records, 3 intact, 0 bad, 3 index entries"), "\(again)")
    }
  }

  @Test("that holds nothing whole is not salvaged into an empty file")
  func nothingWhole() throws {
    try withRecords { folder in
      writeScratchFile(folder + "/x.rec", [UInt8](repeating: 7, count: 500))
      let run = imrec.run(["verify", "x.rec", "--salvage", "s.rec"], in: folder)
      #expect(
        run.status == 2 && run.output.contains("s.rec: not written, because no record is intact"), "\(run)")
      #expect(!scratchNames(folder).contains { $0.hasPrefix("s.") })
    }
  }

  @Test("whose name belongs to another kind of file is reported in one sentence", arguments: verbs)
  func otherKind(_ verb: [String]) throws {
    try withRecords { folder in
      let others: [([UInt8], String)] = [
        (
          try #require(finalFiles(folder)["in.lst"]),
          "this is a list of images (.lst), not a RecordIO file (.rec)"
        ),
        (
          try #require(finalFiles(folder)["in.idx"]),
          "this is an index of records (.idx), not a RecordIO file (.rec)"
        ),
        (try jpeg(), "this is a JPEG image, not"),
        (Array("<html><p>no</p></html>".utf8), "this is an HTML page, not"),
        (Array("version https://git-lfs.github.com/spec/v1\n".utf8), "this is a Git LFS pointer"),
      ]
      for (bytes, words) in others {
        writeScratchFile(folder + "/x.rec", bytes)
        let run = imrec.run(verb + ["--quiet"], in: folder)
        #expect(run.status == 1 && run.output.isEmpty, "\(run)")
        #expect(run.errors.hasPrefix("imrec: x.rec: \(words)") && !run.errors.contains("salvage"), "\(run)")
        #expect(run.errors.split(separator: "\n").count == 1, "\(run)")
      }
      let list = imrec.run([verb[0], "in.lst"] + verb.dropFirst(verb[0] == "bench" ? 3 : 2), in: folder)
      if verb[0] == "info" {
        #expect(list.errors.contains("Pack it first: imrec pack in.lst ROOT"), "\(list)")
      }
    }
  }

  @Test(
    "index is told apart from a good one",
    arguments: [
      ("", "no entry for this record"), ("0\t4\n", "no intact record starts here"),
      ("x\ty\n", "line 1 is \"x"),
      ("0\t0\n0\t0\n", "more than one entry"), ("0\t99999999999999999999\n", "line 1 is"),
      ("0\t-1\n", "line 1 is"),
    ])
  func index(_ text: String, _ words: String) throws {
    try withRecords { folder in
      let good = finalFiles(folder)["in.idx"]
      writeScratchFile(folder + "/in.idx", text.utf8)
      let run = imrec.run(["verify", "in.rec"], in: folder)
      #expect(run.status == 2 && run.output.contains(words), "\(run)")
      #expect(imrec.run(["verify", "in.rec", "--index"], in: folder).status == 0)
      #expect(finalFiles(folder)["in.idx"] == good)
    }
  }

  @Test("empty file is no error for info, which says so, and makes nothing elsewhere")
  func empty() {
    withScratchFolder { folder in
      writeScratchFile(folder + "/x.rec", [])
      let info = imrec.run(["info", "x.rec"], in: folder)
      #expect(info.status == 0 && info.output == "x.rec: 0 records, 0 bytes\n", "\(info)")
      #expect(info.errors.contains("warning: the file holds no record"), "\(info)")
      for verb in Self.verbs where verb[0] == "tensors" || verb[0] == "extract" || verb[0] == "bench" {
        let run = imrec.run(verb, in: folder)
        #expect(run.status == 1 && run.errors.contains("imrec: x.rec: "), "\(run)")
      }
    }
  }

  /// Where the second record begins.
  private func secondRecord(_ bytes: [UInt8]) -> Int? {
    bytes.indices.dropFirst(4).first { $0 % 4 == 0 && bytes[$0...].starts(with: [0x0a, 0x23, 0xd7, 0xce]) }
  }
}
