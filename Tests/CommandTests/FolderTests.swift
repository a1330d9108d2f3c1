import Files
import Glibc
import TestSupport
import Testing

@testable import im2rec

@Suite("A folder of class folders")
struct FolderTests {
  private func with(_ files: [String], _ body: (String) throws -> Void) throws {
    try withScratchFolder { folder in
      for (seed, file) in files.enumerated() {
        writeScratchFile("\(folder)/photos/\(file)", try jpeg(seed: seed))
      }
      try body(folder)
    }
  }

  @Test("whose files are skipped reports each kind once, and has status 2 if they are images")
  func passedOver() throws {
    let files = [
      "a/0.jpg", "a/1.jpg", "a/x.webp", "a/y.bmp", "b/0.jpg", "b/1.jpg", "b/z.jfif", "b/w.jpe", "c/1.gif",
    ]
    try with(files) { folder in
      writeScratchFile(folder + "/photos/readme.txt", Array("words".utf8))
      for verb in [
        ["convert", "photos", "c", "--per-class", "1", "--allow-small-classes"], ["list", "photos", "l"],
      ] {
        let run = imrec.run(verb, in: folder)
        #expect(run.status == 2, "\(run)")
        for words in [
          "warning: a: 1 .webp file was passed over, e.g. a/x.webp; only JPEG and PNG files are read",
          "warning: a: 1 .bmp file was passed over, e.g. a/y.bmp",
          "warning: c: 1 .gif file was passed over, so the class has no image; it keeps its label",
          "1 .txt file was passed over, e.g. readme.txt",
        ] { #expect(run.errors.contains(words), "\(words) in \(run)") }
        #expect(
          !run.errors.contains("jfif") && !run.errors.contains("the class folder has no image"), "\(run)")
        let strict = imrec.run(verb + ["--strict"], in: folder)
        #expect(strict.status == 1 && strict.errors.contains("--strict stops at the first"), "\(strict)")
      }
      #expect(readScratchFile(folder + "/l.lst").split(separator: "\n").count == 6)
      #expect(readScratchFile(folder + "/c-report.json").contains("\"kind\" : \".webp\""))
    }
  }

  @Test("whose other files are not images mentions them, and has status 0")
  func noImages() throws {
    try with(["a/0.jpg", "b/0.jpg"]) { folder in
      for name in ["a/notes.txt", "b/Thumbs.db", "b/x.xml", "._a"] {
        writeScratchFile(folder + "/photos/" + name, Array("words".utf8))
      }
      let run = imrec.run(["list", "photos", "l"], in: folder)
      #expect(run.status == 0 && run.output == "0\ta\n1\tb\n", "\(run)")
      for words in [
        "a: 1 .txt file was passed over, e.g. a/notes.txt", "b: 1 .xml file",
        "2 files and folders of operating systems and editors were passed over, e.g. ._a",
      ] { #expect(run.errors.contains(words), "\(words) in \(run)") }
      #expect(imrec.run(["list", "photos", "l", "--quiet"], in: folder).errors.isEmpty)
    }
  }

  @Test("that holds splits, is one level too high, or is flat with a table says so; --strict refuses it")
  func layouts() throws {
    let trees = [
      (["train/cat/1.jpg", "train/dog/2.jpg", "val/cat/3.jpg", "val/dog/4.jpg"], "run it on photos/train"),
      (["set/set/cat/1.jpg", "set/set/dog/2.jpg"], "run it on photos/set/set"),
      (["images/1.jpg", "images/2.jpg", "labels.csv"], "a table, labels.csv"),
    ]
    for (files, words) in trees {
      try with(files.filter { $0.hasSuffix(".jpg") }) { folder in
        for file in files where !file.hasSuffix(".jpg") {
          writeScratchFile("\(folder)/photos/\(file)", Array("image,label\n".utf8))
        }
        let verb = ["convert", "photos", "c", "--train-ratio", "0.5"]
        let run = imrec.run(verb + ["--quiet"], in: folder)
        #expect(run.errors.contains("warning: photos: ") && run.errors.contains(words), "\(run)")
        let strict = imrec.run(verb + ["--strict"], in: folder)
        #expect(strict.status == 1 && strict.errors.contains(words), "\(strict)")
        #expect(strict.errors.hasSuffix("Without --strict, this is only a warning.\n"), "\(strict)")
      }
    }
  }

  @Test("is listed by im2rec as by im2rec.py, which says what it passes over")
  func im2rec() async throws {
    try await withScratchFolder { (folder) async throws in
      for name in ["a/0.jpg", "a/1.webp", "a/2.jfif", "b/3.jpg", "b/._3.jpg", "b/x.txt"] {
        writeScratchFile("\(folder)/photos/\(name)", [1])
      }
      let run = Im2recRun()
      #expect(await run("--list", "--recursive", folder + "/p", folder + "/photos") == 0)
      #expect(readScratchFile(folder + "/p.lst").split(separator: "\n").count == 3)
      #expect(
        run.lines("warning: ") == [
          "warning: 1 .jfif file was passed over, e.g. a/2.jfif; im2rec.py lists only files ending in .jpeg, .jpg or "
            + ".png; --exts names other extensions",
          "warning: 1 .webp file was passed over, e.g. a/1.webp; im2rec.py lists only files ending in .jpeg, .jpg or "
            + ".png; --exts names other extensions",
        ])
    }
  }

  @Test("of names is read with CRLF, and refused where a name stands twice or there are too few")
  func classNames() throws {
    try withRecords { folder in
      writeScratchFile(folder + "/names.txt", Array("cat\r\ndog\r\n".utf8))
      let run = imrec.run(["extract", "in.rec", "out", "--classes", "names.txt"], in: folder)
      #expect(run.status == 0 && scratchNames(folder + "/out") == ["cat", "dog", "in.lst"], "\(run)")
      for (text, words) in [
        ("cat\n", "the label 1 has no class name; the 1 names are for"),
        ("cat\ncat\n", "line 2: 'cat' repeats the name in line 1"),
        ("", "the file names no class"),
      ] {
        writeScratchFile(folder + "/names.txt", text.utf8)
        let refused = imrec.run(["extract", "in.rec", "other", "--classes", "names.txt"], in: folder)
        #expect(refused.status == 1 && refused.errors.contains(words), "\(refused)")
        #expect(!scratchNames(folder + "/other").contains("cat"), "\(refused)")
      }
    }
  }

  @Test("of a name that a file has is refused with what to do; tensors get their suffix")
  func outputs() throws {
    try withRecords { folder in
      let run = imrec.run(["extract", "in.rec", "in.lst/x"], in: folder)
      #expect(
        run.status == 1 && run.errors.contains("in.lst: a file of this name is in the way\n  Move that"),
        "\(run)")
      let tensors = imrec.run(["tensors", "in.rec", "-o", "X", "--shape", "3,8,8"], in: folder)
      #expect(
        tensors.status == 0 && tensors.output.hasPrefix("X.npy: ")
          && tensors.output.hasSuffix("X-labels.npy\n"))
      let names = scratchNames(folder).filter { $0.hasPrefix("X") }
      #expect(names == ["X-labels.npy", "X.npy"])
    }
  }

  @Test("is not taken by two runs of one prefix at once")
  func twice() throws {
    try with(["a/0.jpg", "a/1.jpg"]) { folder in
      for verb in [["convert", "photos", "c", "--train-ratio", "1"], ["list", "photos", "c"]] {
        let lock = try OutputLock(prefix: folder + "/c")
        defer { withExtendedLifetime(lock) {} }
        let run = imrec.run(verb, in: folder)
        #expect(
          run.status == 1 && run.errors.contains("imrec: c: it is in use by process \(getpid()), since "),
          "\(run)")
        #expect(
          run.errors.contains("\n  Wait until the other process ends, or choose another output"), "\(run)")
        #expect(scratchNames(folder) == ["c.imrec.lock", "photos"])
      }
    }
  }
}
