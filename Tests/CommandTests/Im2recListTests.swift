import Files
import Glibc
import TestSupport
import Testing

@testable import im2rec

@Suite("im2rec --list")
struct Im2recListTests {
  @Test("lists and class map are those of im2rec.py, byte for byte", arguments: Im2recGolden.all.cases)
  func goldens(_ golden: Im2recGolden.Case) async throws {
    try await withScratchFolder { (folder) async throws in
      try Im2recGolden.all.makeTree(in: folder + "/tree")
      let run = Im2recRun()
      let status = await run(["--list"] + golden.arguments + ["--", folder + "/p", folder + "/tree"])
      #expect(status == 0)
      #expect(run.data == golden.standardOutput)
      #expect(try filesIn(folder) == golden.lists.keys.sorted())
      for (name, text) in golden.lists {
        #expect(try readFile(folder + "/" + name).bytes == Array(text.utf8), "\(name)")
      }
    }
  }

  @Test(
    "images are split as im2rec.py splits them",
    arguments: [
      (12, "0.6", "0.2", 1, ["_test 0..<2", "_val 9..<12", "_train 2..<9"], 0),
      (12, "0.7", "0.3", 1, ["_test 0..<3", "_train 3..<11"], 1),
      (867, "0.7", "0.02", 1, ["_test 0..<17", "_val 623..<867", "_train 17..<623"], 0),
      (10, "1", "0.5", 1, [" 0..<10"], 0),
      (10, "1", "0", 4, ["_0 0..<3", "_1 3..<6", "_2 6..<9", "_3 9..<10"], 0),
      (4, "1", "0", 3, ["_0 0..<2", "_1 2..<4", "_2 4..<4"], 0),
      (7, "0.5", "0.5", 2, ["_0_test 0..<2", "_0_train 2..<4", "_1_test 4..<6", "_1_train 6..<7"], 0),
      (3, "0.9", "0.9", 1, ["_test 0..<2", "_train 2..<3"], 0),
      (5, "0", "0", 1, ["_val 0..<5", "_train 0..<0"], 0),
      (0, "0.5", "0", 1, ["_val 0..<0", "_train 0..<0"], 0),
    ] as [(Int, String, String, Int, [String], Int)])
  func sharing(
    _ count: Int, _ train: String, _ test: String, _ chunks: Int, _ expected: [String], _ expectedLeftOut: Int
  ) throws {
    var options = Options()
    options.trainRatio = try #require(Double(train))
    options.testRatio = try #require(Double(test))
    options.chunks = chunks
    let (lists, leftOut) = slices(of: count, options)
    #expect(lists.map { "\($0.suffix) \($0.range)" } == expected)
    #expect(leftOut == expectedLeftOut)
  }

  @Test("images that the ratios leave out are counted in a message")
  func leftOut() async throws {
    try await withScratchFolder { (folder) async throws in
      for i in 0..<12 { writeScratchFile("\(folder)/r/\(i).jpg", []) }
      let run = Im2recRun()
      let status = await run(
        "--list", "--train-ratio", "0.7", "--test-ratio", "0.3", folder + "/p", folder + "/r")
      #expect(status == 0)
      #expect(run.lines("warning: 1 of 12 images are in no list").count == 1, "\(run.words)")
    }
  }

  @Test("nothing found is an error that says where and what was looked for")
  func nothingFound() async throws {
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/r/a/x.jpg", [])
      let run = Im2recRun()
      #expect(await run("--list", folder + "/p", folder + "/r") == 1)
      #expect(
        run.words == [
          """
          im2rec: no image was found directly in \(folder)/r: none of its files ends with .jpeg, .jpg or .png
            --recursive also searches its subfolders; --exts names other extensions.
          """
        ])
      #expect(try filesIn(folder).isEmpty)
      let nowhere = Im2recRun()
      #expect(await nowhere("--list", folder + "/none/p", folder + "/r/a") == 1)
      #expect(
        nowhere.lines("im2rec: the lists cannot be written: the folder \(folder)/none does not exist").count
          == 1)
      let missing = Im2recRun()
      #expect(await missing("--list", folder + "/p", folder + "/nowhere") == 1)
      #expect(missing.words == ["im2rec: \(folder)/nowhere: there is no such file or folder"])
    }
  }

  @Test("a loop of links is listed once, and what cannot be listed is named")
  func oddTree() async throws {
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/r/c/x.jpg", [])
      writeScratchFile(folder + "/r/c/tab\there.jpg", [])
      #expect(symlink("..", folder + "/r/c/up") == 0)
      #expect(mkfifo(folder + "/r/c/pipe.jpg", 0o600) == 0)
      let run = Im2recRun()
      #expect(await run("--list", "--recursive", folder + "/p", folder + "/r") == 2)
      #expect(run.data == "c 0\n")
      #expect(try readFile(folder + "/p.lst").bytes == Array("0\t0.000000\tc/x.jpg\n".utf8))
      #expect(run.lines("skipped: ").count == 3, "\(run.words)")
    }
  }

  @Test("a list that cannot be written is an error, and the old one stays")
  func unwritable() async throws {
    try await withScratchFolder { (folder) async throws in
      writeScratchFile(folder + "/r/x.jpg", [])
      writeScratchFile(folder + "/p.lst/inside", [])
      let run = Im2recRun()
      #expect(await run("--list", folder + "/p", folder + "/r") == 1)
      #expect(run.words == ["im2rec: \(folder)/p.lst: this is a folder, not a file"])
    }
  }

  @Test(
    "a path becomes absolute as Python makes it",
    arguments: [
      ("p", "/w/d/p"), ("./a/../p/", "/w/d/p"), ("../../../p", "/p"), ("/x//y/.", "/x/y"), ("//x/y", "//x/y"),
      ("///x", "/x"), ("", "/w/d"), (".", "/w/d"),
    ])
  func absolute(_ path: String, _ expected: String) {
    #expect(absolutePath(path, from: "/w/d") == expected)
  }
}

/// The names of the files, not folders, in a folder.
func filesIn(_ folder: String) throws -> [String] {
  try entryNames(ofFolder: folder).filter { isRegularFile(folder + "/" + $0) }
}
