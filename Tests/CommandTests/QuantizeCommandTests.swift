import TestSupport
import Testing

@Suite("imrec quantize")
struct QuantizeCommandTests {
  private func withSmall(_ body: (String) throws -> Void) throws {
    try withScratchFolder { folder in
      try writeSmallModel(folder + "/model")
      try writeClasses(folder + "/photos", classes: 2, each: 12)
      let run = imrec.run(["quantize", "model", "small", "--images", "photos", "--json"], in: folder)
      #expect(run.status == 0 && run.errors.contains("only 12 images give the ranges"), "\(run)")
      #expect(run.output.contains(#""checked" : 12"#) && run.output.contains(#""layers" : "#), "\(run)")
      try body(folder)
    }
  }

  private static let files = [
    "classes.txt", "image-classification-0003.params", "image-classification-symbol.json",
    "model-shapes.json",
    "preprocess.json", "quantization.json",
  ]

  @Test("leaves a model that every verb runs in int8, with the same bits on all kernels")
  func runs() throws {
    try withSmall { folder in
      #expect(scratchNames(folder + "/small") == Self.files)
      let image = ["photos/a/00.jpg", "--json"]
      let run = imrec.run(["predict", "small"] + image, in: folder)
      #expect(run.status == 0 && run.errors.contains("the network runs in int8, "), "\(run)")
      for more in [
        ["--kernels", "portable"], ["--kernels", "avx2", "--threads", "1"], ["--precision", "fastest"],
      ] {
        let other = imrec.run(["predict", "small"] + image + more, in: folder)
        #expect(other.status == 0 && other.output == run.output, "\(more): \(other)")
      }
      let original = imrec.run(["predict", "model"] + image, in: folder)
      let plain = imrec.run(["predict", "small", "--precision", "fp32"] + image, in: folder)
      #expect(original.status == 0 && plain.output == original.output && run.output != original.output)
      let tar = try #require(Program(installed: "tar"))
      #expect(tar.run(["-cf", "small.tar", "-C", "small", "."], in: folder).status == 0)
      #expect(imrec.run(["predict", "small.tar"] + image, in: folder).output == run.output)
      let transformed = imrec.run(["transform", "small", "photos", "out"], in: folder)
      #expect(transformed.status == 0 && transformed.errors.contains("runs in int8"), "\(transformed)")
    }
  }

  @Test("refuses a model that is quantized, a folder in use and a truth of other images")
  func refused() throws {
    try withSmall { folder in
      let again = imrec.run(["quantize", "small", "x", "--images", "photos"], in: folder)
      #expect(again.status == 1 && again.errors.contains("small is quantized already"), "\(again)")
      let used = imrec.run(["quantize", "model", "small", "--images", "photos"], in: folder)
      #expect(used.status == 64 && used.errors.contains("--overwrite"), "\(used)")
      let over = imrec.run(["quantize", "model", "small", "--images", "photos", "--overwrite"], in: folder)
      #expect(over.status == 0 && scratchNames(folder + "/small") == Self.files, "\(over)")
      #expect(over.output.contains("small: ") && over.output.contains("images/s in fp32"), "\(over)")
      let itself = imrec.run(["quantize", "model", "model", "--images", "photos", "--overwrite"], in: folder)
      #expect(itself.status == 64 && itself.errors.contains("overwrite the model"), "\(itself)")
      writeScratchFile(folder + "/truth.csv", "path,label\nother/1.jpg,0\n".utf8)
      let other = imrec.run(
        ["quantize", "model", "x", "--images", "photos", "--truth", "truth.csv"], in: folder)
      #expect(other.status == 1 && other.errors.contains("none of the 12 images"), "\(other)")
      #expect(!scratchNames(folder).contains("x"))
      let int8 = imrec.run(["predict", "model", "photos/a/00.jpg", "--precision", "int8"], in: folder)
      #expect(int8.status == 1 && int8.errors.contains("int8 needs a quantized model"), "\(int8)")
      let reference = imrec.run(
        ["predict", "small", "photos/a/00.jpg", "--precision", "int8", "--engine", "reference"], in: folder)
      #expect(reference.status == 64 && reference.errors.contains("reference engine"), "\(reference)")
    }
  }
}
