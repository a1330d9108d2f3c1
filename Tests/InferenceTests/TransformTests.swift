import Files
import Glibc
import InferenceTestSupport
import Packing
import Records
import TestSupport
import Testing

@testable import Inference

/// Holds an output folder.
private final class OtherRun {
  private let lock: OutputLock
  init(_ folder: String) throws { lock = try OutputLock(folder: folder) }
  var holds: Bool { !lock.isByFileOnly }
}

@Suite("A batch transform")
struct TransformTests {
  /// Runs `body` with a folder that holds `in/` with five good images, two of them in folders below, and a classifier.
  private func withImages(_ body: (String, StubNetwork, Classifier) async throws -> Void) async throws {
    let network = StubNetwork()
    let classifier = try makeClassifier(network)
    try await withScratchFolder { folder in
      try writeImages(folder)
      try await body(folder, network, classifier)
    }
  }

  private func writeImages(_ folder: String) throws {
    for (index, name) in names.enumerated() {
      writeScratchFile("\(folder)/in/\(name)", try jpeg(seed: index))
    }
  }

  private let names = ["1.jpg", "2.JPEG", "a/1.jpg", "a/b c/3.jpg", "ü.jpg"]

  /// The error that a transform throws.
  private func failure(_ input: TransformInput, to folder: String, _ classifier: Classifier) async -> (
    any Error
  )? {
    do {
      _ = try await transform(input, to: folder, with: classifier, options: TransformOptions())
      return nil
    } catch {
      return error
    }
  }

  private func expected(_ seed: Int, _ format: PredictionFormat = .jsonlines) throws -> [UInt8] {
    format.text(try makeClassifier(StubNetwork()).classifyHere([try jpeg(seed: seed)])[0].get())
  }

  @Test(
    "writes one output for each image of a folder, in either format", arguments: PredictionFormat.allCases)
  func folders(_ format: PredictionFormat) async throws {
    try await withImages { folder, _, classifier in
      var options = TransformOptions()
      options.format = format
      options.batch = 2
      let summary = try await transform(
        .folder(folder + "/in"), to: folder + "/out/deep", with: classifier, options: options)
      #expect(summary.inputs == 5 && summary.written == 5 && summary.kept == 0 && summary.skipped.isEmpty)
      for (index, name) in names.enumerated() {
        let wanted = try expected(index, format)
        #expect(readScratchBytes("\(folder)/out/deep/\(name).out") == wanted)
      }
      #expect(scratchNames(folder + "/out/deep") == ["1.jpg.out", "2.JPEG.out", "a", "ü.jpg.out"])
    }
  }

  @Test(
    "keeps complete outputs, and rewrites those that are truncated, empty, or of another format or network")
  func resuming() async throws {
    try await withImages { folder, network, classifier in
      let out = folder + "/out"
      let options = TransformOptions()
      _ = try await transform(.folder(folder + "/in"), to: out, with: classifier, options: options)
      let whole = try expected(0)
      let count = network.batches.reduce(0, +)
      let again = try await transform(.folder(folder + "/in"), to: out, with: classifier, options: options)
      // The first one is computed anew, to be compared.
      #expect(again.kept == 5 && again.written == 0 && network.batches.reduce(0, +) == count + 1)
      let damages: [[UInt8]] = [
        [], Array(whole.dropLast()), Array(whole.dropLast(4)), try expected(0, .json),
        [UInt8](repeating: 0, count: whole.count), Array("{\"prediction\": [0.5, 0.5]}\n".utf8),
      ]
      for damage in damages {
        writeScratchFile(out + "/1.jpg.out", damage)
        writeScratchFile(out + "/1.jpg.out.partial", [1])
        let summary = try await transform(
          .folder(folder + "/in"), to: out, with: classifier, options: options)
        #expect(summary.kept == 4 && summary.written == 1)
        #expect(
          readScratchBytes(out + "/1.jpg.out") == whole && readScratchBytes(out + "/1.jpg.out.partial") == nil
        )
      }
      var fresh = options
      fresh.overwrites = true
      let anew = try await transform(.folder(folder + "/in"), to: out, with: classifier, options: fresh)
      #expect(anew.written == 5)
    }
  }

  @Test("keeps no output of another model, whatever its form, and writes nothing then")
  func otherModel() async throws {
    try await withImages { folder, _, classifier in
      let out = folder + "/out"
      _ = try await transform(.folder(folder + "/in"), to: out, with: classifier, options: TransformOptions())
      let whole = readScratchBytes(out + "/1.jpg.out")
      writeScratchFile(out + "/1.jpg.out", Array("{\"prediction\": [0.25, 0.5, 0.25]}\n".utf8))
      writeScratchFile(out + "/2.JPEG.out", [])
      let error = await #expect(throws: InputError.self) {
        try await transform(.folder(folder + "/in"), to: out, with: classifier, options: TransformOptions())
      }
      #expect(error?.description.contains("1.jpg.out is from another model or other settings") == true)
      #expect(readScratchBytes(out + "/2.JPEG.out") == [])
      var fresh = TransformOptions()
      fresh.overwrites = true
      _ = try await transform(.folder(folder + "/in"), to: out, with: classifier, options: fresh)
      #expect(readScratchBytes(out + "/1.jpg.out") == whole)
    }
  }

  @Test("images whose names differ in form only have an output each")
  func forms() async throws {
    try await withImages { folder, _, classifier in
      let paths = ["caf\u{e9}/\u{e9}.jpg", "cafe\u{301}/e\u{301}.jpg", "cafe\u{301}/\u{e9}.jpg"]
      for (index, path) in paths.enumerated() {
        writeScratchFile("\(folder)/forms/\(path)", try jpeg(seed: index))
      }
      writeScratchFile(folder + "/x.lst", paths.enumerated().flatMap { "\($0)\t0\t\($1)\n".utf8 })
      for batch in [1, 32] {
        var options = TransformOptions()
        options.batch = batch
        let out = "\(folder)/out\(batch)"
        let summary = try await transform(
          .list(folder + "/x.lst", root: folder + "/forms"), to: out, with: classifier, options: options)
        #expect(summary.written == 3 && summary.kept == 0 && summary.skipped.isEmpty)
        for (index, path) in paths.enumerated() {
          #expect(try readScratchBytes("\(out)/\(path).out") == expected(index))
        }
      }
    }
  }

  @Test("keeps whole outputs with class names, and makes those with other names anew")
  func namedClasses() async throws {
    try await withImages { folder, network, _ in
      var options = TransformOptions()
      options.format = .verbose
      for (classes, kept) in [(["a]", "b,", "\"c"], 0), (["a]", "b,", "\"c"], 5), (["a", "b", "c"], 0)] {
        let summary = try await transform(
          .folder(folder + "/in"), to: folder + "/out",
          with: try makeClassifier(network, classes: classes), options: options)
        #expect(summary.kept == kept && summary.written == 5 - kept, "\(classes)")
      }
    }
  }

  @Test(
    "skips a bad image, an empty one, one over the payload and one that is not there, each with its reason")
  func badInputs() async throws {
    try await withImages { folder, _, classifier in
      writeScratchFile(folder + "/in/cut.jpg", try jpeg(seed: 9, width: 40, height: 40).prefix(300))
      writeScratchFile(folder + "/in/empty.jpg", [])
      writeScratchFile(folder + "/in/large.jpg", [UInt8](repeating: 0xFF, count: 5001))
      let lines = ["cut.jpg", "empty.jpg", "large.jpg", "none.jpg", "1.jpg"].enumerated()
      writeScratchFile(folder + "/x.lst", lines.flatMap { "\($0)\t0\t\($1)\n".utf8 })
      var options = TransformOptions()
      options.largestPayload = 5000
      let summary = try await transform(
        .list(folder + "/x.lst", root: folder + "/in"), to: folder + "/out", with: classifier,
        options: options)
      #expect(scratchNames(folder + "/out") == ["1.jpg.out"])
      let reasons = Dictionary(uniqueKeysWithValues: summary.skipped.map { ($0.path, $0.reason) })
      #expect(reasons["cut.jpg"]?.contains("cut short") == true, "\(reasons)")
      #expect(reasons["empty.jpg"] == "the file is empty")
      #expect(reasons["large.jpg"] == "it has 5001 bytes, more than the 5000 allowed here")
      #expect(reasons["none.jpg"] == "there is no such file or folder")
    }
  }

  @Test("writes nothing outside its folder, and names the line of a path that would lead there")
  func hostilePaths() async throws {
    try await withImages { folder, _, classifier in
      let paths = ["../1.jpg", "/etc/passwd", "a/../../x.jpg", "a/..", "a/", ".", "2.JPEG", "./a/./1.jpg"]
      let list = folder + "/x.lst"
      writeScratchFile(list, paths.enumerated().flatMap { "\($0)\t0\t\($1)\n".utf8 })
      let before = scratchNames(folder)
      let summary = try await transform(
        .list(list, root: folder + "/in"), to: folder + "/out", with: classifier, options: TransformOptions())
      #expect(scratchNames(folder) == (before + ["out"]).sorted())
      #expect(scratchNames(folder + "/out") == ["2.JPEG.out", "a"] && summary.written == 2)
      #expect(summary.skipped.map(\.path) == (1...6).map { "\(list):\($0)" })
      #expect(summary.skipped[0].reason.contains("'..'") && summary.skipped[1].reason.contains("absolute"))
      let manifest = folder + "/x.manifest"
      writeScratchFile(manifest, "[{\"prefix\": \"\(folder)/in/\"}, \"../y\", \"/y\", \"1.jpg\"]".utf8)
      let second = try await transform(
        .manifest(manifest), to: folder + "/out2", with: classifier, options: TransformOptions())
      #expect(second.skipped.map(\.path) == ["\(manifest): element 2", "\(manifest): element 3"])
      #expect(scratchNames(folder + "/out2") == ["1.jpg.out"])
    }
  }

  @Test("reads a manifest with a file URL, and says what is no manifest")
  func manifests() async throws {
    try await withImages { folder, _, classifier in
      let path = folder + "/m.json"
      let url = "file://" + folder + "/in/a/b%20c/"
      writeScratchFile(path, "[ {\"prefix\": \"\(url)\"}, \"3.jpg\"]".utf8)
      _ = try await transform(
        .manifest(path), to: folder + "/out", with: classifier, options: TransformOptions())
      let wanted = try expected(3)
      #expect(readScratchBytes(folder + "/out/3.jpg.out") == wanted)
      let depth = String(repeating: "[", count: 100_000)
      for (text, words) in [
        ("[]", "begins"), ("[\"a\"]", "begins"), ("{}", "not a manifest"),
        ("[{\"prefix\": 1}]", "not a manifest"),
        ("[{\"prefix\": \"s3://b/\"}, \"a\"]", "s3://"),
        ("[{\"prefix\": \"a\"}, {\"prefix\": \"b\"}]", "second"),
        ("[{\"prefix\": \"a\"}, 3]", "[1]: '3'"), ("[", "not a manifest"), (depth, "not a manifest"),
        ("[{\"prefix\": \"file://x\"}]", "file:///path"), ("[{\"prefix\": \"file:///%zz\"}]", "file:///path"),
      ] {
        writeScratchFile(path, text.utf8)
        let error = await failure(.manifest(path), to: folder + "/out", classifier) as? ManifestError
        #expect(error?.description.contains(words) == true, "\(text.prefix(40)): \(error?.description ?? "")")
      }
    }
  }

  @Test("names the outputs of records by id, and reports a second record of an id and a damaged one")
  func records() async throws {
    try await withImages { folder, _, classifier in
      let path = folder + "/x.rec"
      let bytes = try records([(7, 1), (8, 2), (7, 3), (UInt64.max, 4)]) + [1, 2, 3, 4]
      writeScratchFile(path, bytes)
      let summary = try await transform(
        .records(path), to: folder + "/out", with: classifier, options: TransformOptions())
      #expect(scratchNames(folder + "/out") == ["18446744073709551615.out", "7.out", "8.out"])
      let wanted = try expected(1)
      #expect(readScratchBytes(folder + "/out/7.out") == wanted)
      #expect(
        summary.skipped.count == 2 && summary.skipped[0].reason.contains("the same ID, 7"),
        "\(summary.skipped)")
    }
  }

  private func records(_ entries: [(id: UInt64, seed: Int)]) throws -> [UInt8] {
    var bytes: [UInt8] = []
    for entry in entries {
      let image = try jpeg(seed: entry.seed)
      try appendRecord(ImageHeader(label: 1, id: entry.id), image: image.span, to: &bytes)
    }
    return bytes
  }

  @Test(
    "counts an input that is named twice as one output, however it is spelled, and never as one of an earlier run"
  )
  func repeated() async throws {
    try await withImages { folder, _, classifier in
      let paths = ["1.jpg", "a/1.jpg", "1.jpg", "./a//1.jpg", "2.JPEG"]
      writeScratchFile(folder + "/x.lst", paths.enumerated().flatMap { "\($0)\t0\t\($1)\n".utf8 })
      for batch in [1, 2, 32] {
        var options = TransformOptions()
        options.batch = batch
        let out = "\(folder)/out\(batch)"
        let input = TransformInput.list(folder + "/x.lst", root: folder + "/in")
        let first = try await transform(input, to: out, with: classifier, options: options)
        #expect(first.written == 3 && first.repeated == 2 && first.kept == 0 && first.inputs == 5)
        let again = try await transform(input, to: out, with: classifier, options: options)
        #expect(again.written == 0 && again.repeated == 2 && again.kept == 3)
      }
    }
  }

  @Test("takes every JPEG and PNG of a folder by its suffix, no litter, and says what it passes over")
  func passedOver() async throws {
    try await withImages { folder, _, classifier in
      for name in ["a/x.webp", "a/._1.jpg", "__MACOSX/a/1.jpg", "notes.txt", ".secret/1.jpg"] {
        writeScratchFile("\(folder)/in/\(name)", [1])
      }
      writeScratchFile(folder + "/in/b.jfif", try jpeg(seed: 7))
      let summary = try await transform(
        .folder(folder + "/in"), to: folder + "/out", with: classifier, options: TransformOptions())
      #expect(summary.written == 6 && summary.skipped.isEmpty && summary.skippedCount == 1)
      #expect(summary.passedOver.map(\.example) == ["a/x.webp", "notes.txt"])
      #expect(
        summary.warnings == [
          "1 folder whose name begins with a dot was passed over",
          "1 .webp file was passed over, e.g. a/x.webp; only JPEG and PNG files are read",
        ])
      #expect(scratchNames(folder + "/out").contains("b.jfif.out"))
    }
  }

  @Test("stops if the image folder is moved meanwhile, and reports a file that is not a list")
  func movedInput() async throws {
    try await withImages { folder, _, classifier in
      var options = TransformOptions()
      options.batch = 1
      do {
        _ = try await transform(
          .folder(folder + "/in"), to: folder + "/out", with: classifier, options: options
        ) { if $0.done == 1 { rename(folder + "/in", folder + "/moved") } }
        Issue.record("the transform went on without its images")
      } catch {
        #expect(error as? FileError == FileError(.wentAway, path: folder + "/in"))
      }
      writeScratchFile(folder + "/x.lst", Array("<html>\n<p>\n".utf8))
      let none = await failure(
        .list(folder + "/x.lst", root: folder + "/moved"), to: folder + "/out", classifier)
      #expect((none as? InputError)?.description.contains("this is an HTML page, not a list") == true)
    }
  }

  @Test("refuses a second run into the same folder meanwhile, and an input without images")
  func refusals() async throws {
    try await withImages { folder, _, classifier in
      try makeFolder(folder + "/out")
      let other = try OtherRun(folder + "/out")
      let inUse = await failure(.folder(folder + "/in"), to: folder + "/out", classifier)
      let sentence = (inUse as? FileError)?.description ?? ""
      #expect(sentence.hasPrefix("\(folder)/out: it is in use by process ") && other.holds, "\(sentence)")
      try makeFolder(folder + "/none")
      let none = await failure(.folder(folder + "/none"), to: folder + "/out2", classifier)
      #expect(none is InputError)
    }
  }
}
