import Glibc
import TestSupport
import Testing

@Suite("The verbs that run a model")
struct TransformCommandTests {
  /// Runs `body` in a folder with `model`, and with `photos` of `count` images.
  private func withModel(_ count: Int, _ body: (String) throws -> Void) throws {
    try withScratchFolder { folder in
      try writeSmallModel(folder + "/model")
      try writeClasses(folder + "/photos", classes: 2, each: count / 2)
      try body(folder)
    }
  }

  @Test("predict shows the likeliest classes, names a bad image, and has status 2 then")
  func predict() throws {
    try withModel(4) { folder in
      writeScratchFile(folder + "/bad.jpg", [0xFF, 0xD8, 0xFF])
      let run = imrec.run(
        ["predict", "model", "photos/a/00.jpg", "bad.jpg", "photos/b/01.png", "--top", "2"], in: folder)
      #expect(run.status == 2 && run.errors.contains("skipped: bad.jpg: "), "\(run)")
      let lines = run.output.split(separator: "\n")
      #expect(lines.count == 6 && lines[0] == "photos/a/00.jpg" && lines[3] == "photos/b/01.png", "\(run)")
      #expect(lines[1].contains(" %  ") && lines[1].contains("class "), "\(run)")
      let json = imrec.run(["predict", "model", "photos/a/00.jpg", "--json"], in: folder)
      #expect(json.status == 0 && json.output.contains("\"probability\" : "), "\(json)")
      let none = imrec.run(["predict", "model", "bad.jpg", "gone.jpg"], in: folder)
      #expect(none.status == 1 && none.errors.contains("skipped: bad.jpg: "), "\(none)")
      writeScratchFile(folder + "/broken/a/1.jpg", [0xFF, 0xD8, 0xFF])
      let nothing = imrec.run(["transform", "model", "broken", "out"], in: folder)
      #expect(nothing.status == 1 && nothing.errors.contains("a/1.jpg"), "\(nothing)")
      makeScratchFolders(above: folder + "/bare/x")
      let empty = imrec.run(["transform", "model", "bare", "out"], in: folder)
      #expect(empty.status == 1, "\(empty)")
      let missing = imrec.run(["predict", "none", "photos/a/00.jpg"], in: folder)
      #expect(missing.status == 1 && missing.errors.contains("none"), "\(missing)")
    }
  }

  @Test(
    "every verb that takes a model names what another kind of file is, in one sentence",
    arguments: [
      ["predict", "page.onnx", "x.jpg"], ["transform", "page.onnx", "photos", "out"], ["host", "page.onnx"],
      ["bench", "infer", "page.onnx"],
    ])
  func otherKinds(_ arguments: [String]) throws {
    try withScratchFolder { folder in
      writeScratchFile(folder + "/page.onnx", "<!DOCTYPE html><html>".utf8)
      writeScratchFile(folder + "/photos/x.jpg", try jpeg())
      let run = imrec.run(arguments, in: folder)
      #expect(
        run.status == 1
          && run.errors == "imrec: page.onnx: this is an HTML page; an ONNX model is expected\n",
        "\(run)")
      #expect(!scratchNames(folder).contains("out"))
    }
  }

  @Test("an image in the place of an input says that it is one")
  func imageAsInput() throws {
    try withModel(2) { folder in
      let run = imrec.run(["transform", "model", "photos/a/00.jpg", "out"], in: folder)
      #expect(
        run.status == 64 && run.errors.contains("photos/a/00.jpg: this is a JPEG image; a folder, "), "\(run)"
      )
    }
  }

  @Test("an archive that has no room for its copy names TMPDIR")
  func temporaryFolder() throws {
    try withModel(2) { folder in
      let tar = try #require(Program(installed: "tar"))
      #expect(tar.run(["-cf", "model.tar", "-C", "model", "."], in: folder).status == 0)
      let run = imrec.run(
        ["predict", "model.tar", "photos/a/00.jpg"], in: folder, environment: ["TMPDIR": "/none"])
      #expect(
        run.status == 1 && run.errors.contains("/none: ") && run.errors.contains("set TMPDIR to a folder"),
        "\(run)")
    }
  }

  @Test("--image-shape is the images' size where the model leaves it open, on every verb")
  func imageShape() throws {
    try withModel(2) { folder in
      // Its average is of the whole plane: it takes any size.
      let run = imrec.run(
        ["bench", "infer", "model", "--image-shape", "3,40,36", "--runs", "1", "--batch", "1", "--json"],
        in: folder)
      #expect(run.status == 0, "\(run)")
      let predicted = imrec.run(
        ["predict", "model", "photos/a/00.jpg", "--image-shape", "3,40,36", "--json"], in: folder)
      let own = imrec.run(["predict", "model", "photos/a/00.jpg", "--json"], in: folder)
      #expect(predicted.status == 0 && own.status == 0 && predicted.output != own.output, "\(predicted)")
      let wrong = imrec.run(["transform", "model", "photos", "out", "--image-shape", "40"], in: folder)
      #expect(wrong.status == 64 && wrong.errors.contains("3 whole numbers"), "\(wrong)")
    }
  }

  @Test("bench infer compares all precisions, unless one is chosen by an option or the environment")
  func precisions() {
    withScratchFolder { folder in
      let command = ["bench", "infer", "resnet-20", "--runs", "1", "--batch", "1", "--layers", "--quiet"]
      let all = imrec.run(command, in: folder)
      #expect(all.status == 0 && all.errors.isEmpty, "\(all)")
      let lines = all.output.split(separator: "\n").map(String.init)
      #expect(lines.allSatisfy { $0.count <= 100 }, "\(all)")
      #expect(lines[0].contains("  to fp32  "), "\(all)")
      for (line, name) in zip(lines.dropFirst(), ["fp32", "bf16", "int8"]) {
        #expect(line.hasPrefix("      1  \(name) ") && line.contains("x  ") == (name != "fp32"), "\(all)")
      }
      #expect(lines[5].split(separator: " ") == ["fp32", "bf16", "int8"], "\(all)")
      #expect(lines.contains { $0.split(separator: "%").count == 4 && $0.hasSuffix(" ms  conv0") }, "\(all)")
      let environment = imrec.run(command, in: folder, environment: ["IMREC_PRECISION": "bf16"])
      for run in [imrec.run(command + ["--precision", "bf16"], in: folder), environment] {
        #expect(run.status == 0 && run.errors.isEmpty && run.output.contains(" kernels, bf16, "), "\(run)")
        #expect(!run.output.contains("fp32") && !run.output.contains("int8"), "\(run)")
      }
      let reference = imrec.run(command + ["--engine", "reference"], in: folder)
      #expect(reference.status == 0 && reference.output.contains(" kernels, fp32, "), "\(reference)")
      #expect(!reference.output.contains("bf16"), "\(reference)")
    }
  }

  @Test(
    "transform gives the same bytes for any number of threads and any batch, also of a list and of records")
  func determinism() throws {
    try withModel(12) { folder in
      let whole = imrec.run(["transform", "model", "photos", "out"], in: folder)
      #expect(whole.status == 0, "\(whole)")
      let expected = outputs(folder + "/out")
      #expect(expected.count == 12)
      for options in [
        ["--batch", "1", "--threads", "1"], ["--batch", "5", "--threads", "3"], ["--max-concurrent", "2"],
      ] {
        let run = imrec.run(["transform", "model", "photos", "other", "--overwrite"] + options, in: folder)
        #expect(run.status == 0 && outputs(folder + "/other") == expected, "\(options): \(run)")
      }
      #expect(imrec.run(["list", "photos", "in", "--quiet"], in: folder).status == 0)
      let list = imrec.run(["transform", "model", "in.lst", "listed", "--root", "photos"], in: folder)
      #expect(list.status == 0 && outputs(folder + "/listed") == expected, "\(list)")
      #expect(imrec.run(["pack", "in.lst", "photos", "--pass-through", "--quiet"], in: folder).status == 0)
      let records = imrec.run(["transform", "model", "in.rec", "ids", "--json"], in: folder)
      #expect(records.status == 0 && records.output.contains("\"written\" : 12"), "\(records)")
      #expect(readScratchBytes(folder + "/ids/0.out") == expected["a/00.jpg.out"])
    }
  }

  @Test(
    "transform killed at random moments leaves whole outputs only, and ends with those of an undisturbed run")
  func killing() throws {
    try withModel(60) { folder in
      let command = ["transform", "model", "photos", "--batch", "4", "--quiet"]
      let start = ContinuousClock.now
      #expect(imrec.run(command + ["whole"], in: folder).status == 0)
      let microseconds = max(20_000, min(3_000_000, UInt32((ContinuousClock.now - start) / .microseconds(1))))
      let expected = outputs(folder + "/whole")
      var generator = SplitMix64(seed: 4)
      for _ in 0..<6 {
        let run = imrec.run(command + ["out"], in: folder) { pid in
          usleep(UInt32.random(in: 5_000...microseconds, using: &generator))
          kill(pid, SIGKILL)
        }
        #expect(run.signal == SIGKILL || run.status == 0, "\(run)")
        for (name, bytes) in outputs(folder + "/out") where name.hasSuffix(".out") {
          #expect(expected[name] == bytes, "\(name) is partial")
        }
      }
      let last = imrec.run(command + ["out"], in: folder)
      #expect(last.status == 0 && outputs(folder + "/out") == expected, "\(last)")
    }
  }

  @Test(
    "transform stopped by a signal keeps what is done, and says how to go on", arguments: [SIGINT, SIGTERM])
  func signals(_ signal: Int32) throws {
    try withModel(400) { folder in
      let command = ["transform", "model", "photos", "out", "--batch", "2"]
      let run = imrec.run(command, in: folder) { pid in
        var tries = 0
        while scratchNames(folder + "/out/a").isEmpty && tries < 5000 {
          usleep(2000)
          tries += 1
        }
        kill(pid, signal)
      }
      #expect(run.status == 1 && run.errors.contains("run the same command again to continue"), "\(run)")
      let done = outputs(folder + "/out").keys
      #expect(!done.isEmpty && done.allSatisfy { $0.hasSuffix(".out") })
      let last = imrec.run(command, in: folder)
      #expect(last.status == 0 && last.errors.contains("\(done.count) output"), "\(last)")
      #expect(outputs(folder + "/out").count == 400)
    }
  }

  /// All files below a folder, by relative path.
  private func outputs(_ folder: String) -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in scratchNames(folder) {
      let below = scratchNames("\(folder)/\(name)")
      for inner in below { files["\(name)/\(inner)"] = readScratchBytes("\(folder)/\(name)/\(inner)") }
      if below.isEmpty { files[name] = readScratchBytes("\(folder)/\(name)") }
    }
    return files
  }
}
