import TestSupport
import Testing

@Suite("imrec score tells what to do where inputs do not fit")
struct ScoreAdviceTests {
  /// What is written into the folder before, the arguments behind `score`, and words that must be said.
  private static let cases: [(name: String, files: [String: String], arguments: String, words: [String])] = [
    (
      "fewer names than probabilities", ["two.txt": "a\nb\n"], "out --truth t.lst --classes two.txt",
      [
        "most outputs have 3 probabilities", "two.txt names 2", "--classes FILE",
        "invalid: a/1.jpg, a/2.jpg, b/1.jpg: 3 probabilities, but 2 are expected",
      ]
    ),
    (
      "folders that are not all classes", ["photos/a/1.jpg": "x", "photos/b/1.jpg": "x"],
      "out --truth photos", ["photos has 2", "--classes FILE"]
    ),
    (
      "names without anything in common", ["other.csv": "q.jpg,0\nr.jpg,1\n"], "out --truth other.csv",
      [
        "no output matches an image", "outputs a/1.jpg.out, a/2.jpg.out and others",
        "paths of the truth q.jpg, r.jpg.",
      ]
    ),
    (
      "folders lost", ["flat/1.jpg.out": "[1,0,0]"], "flat --truth t.lst",
      [
        "3 images of the truth have this file name", "They match files in each of a/, b/, c/",
        "so that the outputs keep the names of these folders",
      ]
    ),
    (
      "a folder of other files", ["empty/notes.txt": "x"], "empty --truth t.lst",
      ["empty holds no file <name>.out", "such as notes.txt"]
    ),
    ("a truth of no image", ["empty.csv": "path,label\n"], "out --truth empty.csv", ["nothing to score"]),
    (
      "a list with blanks between its fields", ["blanks.lst": "0 0 a/1.jpg\n1 0 a/2.jpg\n"],
      "out --truth blanks.lst",
      ["blanks.lst has no image with a usable label: there is nothing to score", "Each line needs"]
    ),
    (
      "a truth without class folders", ["none/a/x.txt": ""], "out --truth none", ["one folder for each class"]
    ),
    (
      "outputs that are no JSON",
      ["x/a/1.jpg.out": "a b", "x/a/2.jpg.out": "", "x/b/1.jpg.out": "1 2", "x/c/1.jpg.out": "?"],
      "x --truth t.lst", ["no output can be scored. An output must be JSON such as"]
    ),
  ]

  @Test(
    "by a warning after the summary, with exit status 1, for nothing is scored", arguments: 0..<cases.count)
  func advice(_ index: Int) throws {
    let test = Self.cases[index]
    try withOutputs { (folder) throws in
      for (name, text) in test.files { writeScratchFile("\(folder)/\(name)", text.utf8) }
      let run = imrec.run(["score"] + test.arguments.split(separator: " ").map(String.init), in: folder)
      #expect(run.status == 1, "\(test.name): \(run)")
      for words in test.words { #expect(run.errors.contains(words), "\(test.name): \(run)") }
      #expect(run.output.contains("No image was scored."))
    }
  }

  @Test(
    "when labels count from 1, or the class list is in another order: no figure is believed without a word")
  func order() throws {
    try withScratchFolder { (folder) throws in
      var (right, shifted, turned, outputs) = ("", "", "", "")
      for index in 0..<40 {
        let label = index % 4
        right += "\(index).jpg,\(label)\n"
        shifted += "\(index).jpg,\(label + 1)\n"
        turned += "\(index).jpg,\((label + index / 39 * 2) % 4 ^ 1)\n"
        let row = (0..<5).map { $0 == label ? "0.6" : "0.1" }.joined(separator: ",")
        outputs += "{\"path\":\"\(index).jpg\",\"prediction\":[\(row)]}\n"
      }
      for (name, text) in [("right", right), ("shifted", shifted), ("turned", turned)] {
        writeScratchFile("\(folder)/\(name).csv", text.utf8)
      }
      writeScratchFile("\(folder)/o.jsonl", outputs.utf8)
      func errors(_ truth: String) -> String {
        imrec.run(["score", "o.jsonl", "--truth", truth, "--quiet"], in: folder).errors
      }
      #expect(errors("right.csv").isEmpty)
      #expect(errors("shifted.csv").contains("every predicted label is too low by 1"))
      #expect(
        errors("turned.csv").contains(
          "--classes and the labels of the truth must be in the order used for training"))
    }
  }

  @Test("when a .rec knows its images by ids, but outputs are named by paths; when an .idx is named")
  func records() throws {
    try withRecords(classes: 3, each: 2) { (folder) throws in
      writeScratchFile("\(folder)/out/a/00.jpg.out", "[1,0,0]".utf8)
      let run = imrec.run(["score", "out", "--truth", "in.rec"], in: folder)
      #expect(run.status == 1 && run.errors.contains("ids of the truth 0, 1 and others"), "\(run)")
      #expect(run.errors.contains("name the .lst it was made from"))
      let index = imrec.run(["score", "out", "--truth", "in.idx"], in: folder)
      #expect(
        index.status == 1 && index.errors.contains("An index holds no labels; name the .rec"), "\(index)")
    }
  }

  @Test("when the names of a table's columns are not known: the options that name them, in one sentence")
  func columns() throws {
    try withOutputs { (folder) throws in
      writeScratchFile("\(folder)/t.csv", "image_id,breed\na/1.jpg,0\na/2.jpg,0\nb/1.jpg,1\nc/1.jpg,2\n".utf8)
      let run = imrec.run(["score", "out", "--truth", "t.csv", "--quiet"], in: folder)
      #expect(run.status == 1 && run.output.isEmpty && run.errors.split(separator: "\n").count == 2, "\(run)")
      #expect(run.errors.contains("its first row is \"image_id\", \"breed\""))
      #expect(run.errors.contains("--image-column NAME --label-column NAME"))
      let named = imrec.run(
        ["score", "out", "--truth", "t.csv", "--image-column", "image_id", "--label-column", "breed"],
        in: folder)
      #expect(named.status == 0 && named.output.contains("3 of 4 correct"), "\(named)")
      let list = imrec.run(["score", "out", "--truth", "t.lst", "--label-column", "breed"], in: folder)
      #expect(list.status == 1 && list.errors.contains("it has no named columns"), "\(list)")
    }
  }

  @Test("when names were joined that are not the same bytes: how many, by what, and an example")
  func joinedNames() throws {
    try withOutputs { (folder) throws in
      for (truth, words) in [
        (
          "A/1.jpg,0\nA/2.JPG,0\nB/1.jpg,1\nc/1.jpg,2\n",
          "3 outputs matched to names that differ in case, such as a/1.jpg and A/1.jpg"
        ),
        (
          "a/1,0\na/2,0\nb/1,1\nc/1,2\n",
          "4 outputs matched to names without a suffix, such as a/1.jpg and a/1"
        ),
      ] {
        writeScratchFile("\(folder)/t.csv", ("path,label\n" + truth).utf8)
        let run = imrec.run(["score", "out", "--truth", "t.csv", "-o", "s.json"], in: folder)
        #expect(run.status == 0 && run.errors.contains(words), "\(run)")
        #expect(readScratchFile("\(folder)/s.json").contains("4 outputs matched") || truth.hasPrefix("A"))
      }
      writeScratchFile("\(folder)/t.csv", "path,label\nx/e\u{301}.jpg,0\n".utf8)
      writeScratchFile("\(folder)/o/x/\u{E9}.jpg.out", "[1,0,0]".utf8)
      let run = imrec.run(["score", "o", "--truth", "t.csv"], in: folder)
      #expect(
        run.status == 0
          && run.errors.contains("1 output matched to a name that differs in Unicode normalization"),
        "\(run)")
    }
  }

  @Test("faults of one kind are told once, with a count and an example")
  func equalFaults() throws {
    try withScratchFolder { (folder) throws in
      var (truth, lines) = ("path,label\n", "")
      for index in 0..<40 {
        truth += "\(index).jpg,0\n"
        lines +=
          index < 2
          ? "{\"path\":\"\(index).jpg\",\"prediction\":[1,0]}\n"
          : "{\"path\":\"\(index).jpg\",\"prediction\":[\(index),'x\(index)']}\n"
      }
      writeScratchFile("\(folder)/t.csv", truth.utf8)
      writeScratchFile("\(folder)/o.jsonl", lines.utf8)
      let run = imrec.run(["score", "o.jsonl", "--truth", "t.csv", "--quiet"], in: folder)
      let told = run.errors.split(separator: "\n").filter { $0.contains("invalid:") }
      #expect(run.status == 2 && told.count == 1 && told[0].contains("and 35 more: such as"), "\(run)")
    }
  }

  @Test("next: the JSON that compare reads, and compare")
  func next() throws {
    try withOutputs { (folder) throws in
      #expect(
        imrec.run(["score", "out", "--truth", "t.lst"], in: folder).errors.contains("next: -o score.json"))
      let kept = imrec.run(["score", "out", "--truth", "t.lst", "-o", "s.json"], in: folder)
      #expect(kept.errors.contains("next: imrec compare s.json OTHER.json"))
      #expect(
        !imrec.run(["score", "out", "--truth", "t.lst", "--quiet"], in: folder).errors.contains("next"))
    }
  }

  @Test(
    "wrong usage is told with the verb's own help, before anything is read",
    arguments: [
      ("out --truth t.lst --fail-under top1", "top1=NUMBER is expected"),
      ("out --truth t.lst --fail-under top1=nan", "a number is expected"),
      ("out --truth t.lst --fail-under top1=70", "a fraction from 0 to 1 is expected; did you mean 0.7?"),
      ("out --truth t.lst --allow-missing x", "not a whole number from 0"),
      ("out --truth t.lst --fail-under class:horse.recall=0.5", "a name of the class list"),
      ("out --truth t.lst -o ./t.lst", "-o ./t.lst is also an input"),
      ("out --truth t.lst --jobs 0", "not a whole number from 1"),
    ])
  func usage(_ arguments: String, _ words: String) throws {
    try withOutputs { (folder) throws in
      let before = readScratchBytes("\(folder)/t.lst")
      let run = imrec.run(["score"] + arguments.split(separator: " ").map(String.init), in: folder)
      #expect(run.status == 64 && run.errors.contains(words), "\(run)")
      #expect(run.errors.contains("imrec score --help") && run.output.isEmpty)
      #expect(readScratchBytes("\(folder)/t.lst") == before)
    }
  }
}
