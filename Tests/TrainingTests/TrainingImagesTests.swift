import Files
import Glibc
import Imaging
import Networks
import Records
import TestSupport
import Testing

@testable import Hyperparameters
@testable import Training

private func opened(
  _ source: TrainingSource, classes: Int = 3, multi: Bool = false
) throws -> TrainingImages {
  try TrainingImages(source, channel: "train", classCount: classes, isMultiLabel: multi)
}

@Suite struct TrainingImagesTests {
  @Test("records are counted, with their classes, places and bytes in any order")
  func records() throws {
    try withScratchFolder { folder in
      let path = folder + "/x.rec"
      try writeRecords(path, labels: [2, 0, 1, 0])
      let images = try opened(.records(path))
      #expect(images.count == 4 && images.histogram == [2, 1, 1])
      #expect((0..<4).map(images.classes) == [[2], [0], [1], [0]])
      #expect(images.name(of: 0) == "\(path): byte 0: record 100")
      for image in [3, 0, 2, 1] {
        let bytes = try images.withBytes(of: image) { bytes in (0..<bytes.count).map { bytes[$0] } }
        #expect(try bytes == smallImage(image))
      }
    }
  }

  @Test("a list's images are found from its root, whatever blank lines it has")
  func list() throws {
    try withScratchFolder { folder in
      for number in 0..<3 { writeScratchFile("\(folder)/root/a/\(number).png", try smallImage(number)) }
      writeScratchFile(folder + "/x.lst", "7\t1.000000\ta/1.png\n\n8\t0\ta/0.png\n9\t2\ta/2.png\n".utf8)
      let images = try opened(.list(folder + "/x.lst", root: folder + "/root"))
      #expect((0..<images.count).map(images.classes) == [[1], [0], [2]])
      #expect(images.name(of: 1) == folder + "/root/a/0.png")
      #expect(try images.withBytes(of: 1) { $0.count } == smallImage(0).count)
    }
  }

  @Test("a folder that is moved away during a run is reported once, not image by image")
  func movedRoot() throws {
    try withScratchFolder { folder in
      for number in 0..<2 { writeScratchFile("\(folder)/root/a/\(number).png", try smallImage(number)) }
      writeScratchFile(folder + "/x.lst", "1\t1\ta/1.png\n2\t0\ta/0.png\n".utf8)
      let root = folder + "/root"
      let images = try opened(.list(folder + "/x.lst", root: root))
      #expect(unlink(root + "/a/1.png") == 0)
      #expect(message { _ = try images.withBytes(of: 0) { $0.count } }.contains("a/1.png"))
      #expect(rename(root, folder + "/moved") == 0)
      #expect(
        message { _ = try images.withBytes(of: 1) { $0.count } }
          == "\(root): the folder was moved or removed while its files were being read")
    }
  }

  @Test("a manifest's lines are read: paths beside it, file URLs, numbers, text, lists, metadata passed over")
  func manifest() throws {
    try withScratchFolder { folder in
      for number in 0..<4 { writeScratchFile("\(folder)/a \(number).png", try smallImage(number)) }
      let lines = #"""
        {"source-ref": "a 1.png", "class": 1, "class-metadata": {"class-name": "dog", "confidence": 0.9}}
        {"source-ref": "file://FOLDER/a%200.png", "class": "2", "other-ref": "x"}

        {"class": 0, "source-ref": "FOLDER/a 3.png"}
        """#
      writeScratchFile(folder + "/x.manifest", lines.replacing("FOLDER", with: folder).utf8)
      let images = try opened(.manifest(folder + "/x.manifest"))
      #expect((0..<images.count).map(images.classes) == [[1], [2], [0]])
      #expect(try images.withBytes(of: 1) { $0.count } == smallImage(0).count)

      let several =
        "{\"img\": \"a 1.png\", \"tags\": [0, 2]}\n{\"img\": \"a 0.png\", \"tags\": \"[1]\", \"more\": 1}\n"
      writeScratchFile(folder + "/y.manifest", several.utf8)
      var options = ManifestOptions()
      (options.image, options.label) = ("img", "tags")
      options.labelsAreClassIDs = true
      let tagged = try opened(.manifest(folder + "/y.manifest", options), multi: true)
      #expect((0..<tagged.count).map(tagged.classes) == [[0, 2], [1]])
    }
  }

  @Test(
    "a manifest's faults are told with the line",
    arguments: [
      (
        "[1]",
        "not a JSON object such as {\"source-ref\": \"photos/1.jpg\", \"class\": 0}: "
          + "byte 0: '[' where an object is expected"
      ),
      (#"{"class": 1}"#, "the attribute \"source-ref\" with the image's path is missing"),
      (#"{"source-ref": "a.png"}"#, "there is no attribute that could be the label"),
      (#"{"source-ref": "a.png", "class": {"a": 1}}"#, "\"class\" is neither a number nor a list of numbers"),
      (
        #"{"source-ref": "s3://bucket/a.png", "class": 1}"#,
        "s3:// URLs are not supported for images; a path or a file:// URL is expected"
      ),
      (#"{"source-ref": "file://a.png", "class": 1}"#, "file://a.png is not a valid file:///path URL"),
    ])
  func badManifest(_ line: String, _ sentence: String) throws {
    withScratchFolder { folder in
      let path = folder + "/x.manifest"
      writeScratchFile(path, ("\n" + line + "\n").utf8)
      #expect(message { _ = try opened(.manifest(path)) } == "\(path):2: \(sentence)")
    }
  }

  @Test("a manifest's label is that of AttributeNames, or the one with metadata, whatever stands before it")
  func labelAttribute() throws {
    try withScratchFolder { folder in
      writeScratchFile(folder + "/a.png", try smallImage(0))
      let path = folder + "/x.manifest"
      let line = #"{"source-ref": "a.png", "confidence": 0.5, "label": 2, "label-metadata": {}, "id": 1}"#
      writeScratchFile(path, (line + "\n" + line + "\n").utf8)
      #expect(try opened(.manifest(path)).classes(of: 1) == [2])
      let named = try ManifestOptions(
        attributeNames: ["source-ref", "id"], contentType: "application/x-image")
      #expect(try opened(.manifest(path, named)).classes(of: 1) == [1])
    }
  }

  @Test(
    "a manifest of which several attributes may be the label is refused with their names, where that shows",
    arguments: [
      ([#""label": 0, "id": 1"#], 1), ([#""id": 0"#, #""id": 1, "label": 0"#], 2),
      ([#""id": 0"#, #""id": 1, "label": 0, "label-metadata": {}"#], 2),
      ([#""id": 0, "label": 1, "label-metadata": {}, "id-metadata": {}"#], 1),
    ])
  func ambiguousLabel(_ lines: [String], _ number: Int) throws {
    try withScratchFolder { folder in
      writeScratchFile(folder + "/a.png", try smallImage(0))
      let path = folder + "/x.manifest"
      writeScratchFile(path, lines.map { "{\"source-ref\": \"a.png\", \($0)}\n" }.joined().utf8)
      let error = #expect(throws: TrainingError.self) { try opened(.manifest(path)) }
      #expect(error?.lack == .label)
      #expect(
        error?.description
          == "\(path):\(number): the label is ambiguous: it could be any of the attributes \"id\", \"label\""
      )
    }
  }

  @Test(
    "AttributeNames that are no image and label are refused, and so is a label-format nobody knows",
    arguments: [
      (["source-ref"], ""), (["label", "source-ref"], ""), (["source-ref", "label-metadata"], ""), ([], ""),
      (["source-ref", "label"], "application/x-recordio; label-format=names"),
    ])
  func attributeNames(_ names: [String], _ type: String) {
    #expect(throws: TrainingError.self) { try ManifestOptions(attributeNames: names, contentType: type) }
  }

  @Test(
    "labels that are not classes are reported, with file, byte and record",
    arguments: [3, -1, 0.5, .nan, 1e30] as [Float])
  func badLabel(_ label: Float) throws {
    try withScratchFolder { folder in
      let path = folder + "/x.rec"
      try writeRecords(path, labels: [0, label])
      let offset = try 32 + (smallImage(0).count + 3) / 4 * 4
      #expect(
        message { _ = try opened(.records(path)) }
          == "\(path): byte \(offset): record 101: the label is \(shortest(Double(label))), but num_classes is 3; "
          + "a whole number from 0 to 2 is expected")
    }
  }

  @Test(
    "a yes weighs as much more than a no as it is rarer; one of a class that none or all have weighs the same"
  )
  func weights() throws {
    try withScratchFolder { folder in
      writeScratchFile(folder + "/1.png", try smallImage(1))
      let rows = ["0 1 1 0", "0 0 1 1", "0 0 1 1", "0 0 1 1"].map {
        $0.replacing(" ", with: "\t")
      }
      let lines = rows.enumerated().map { "\($0.offset)\t\($0.element)\t1.png\n" }.joined()
      writeScratchFile(folder + "/x.lst", lines.utf8)
      let images = try opened(.list(folder + "/x.lst", root: folder), classes: 4, multi: true)
      #expect(images.positiveWeights == [1, 3, 1, 1 / Float(3)])
    }
  }

  @Test("multi-label data has a 0 or 1 a class, else SageMaker's words")
  func multiLabel() throws {
    try withScratchFolder { folder in
      let image = try smallImage(0)
      func write(_ labels: [[Float]]) throws -> TrainingSource {
        var file: [UInt8] = []
        for (id, labels) in labels.enumerated() {
          try appendRecord(ImageHeader(labels: labels, id: UInt64(id)), image: image.span, to: &file)
        }
        writeScratchFile(folder + "/x.rec", file)
        return .records(folder + "/x.rec")
      }
      let images = try opened(write([[0, 1, 1], [0, 0, 0]]), multi: true)
      #expect(
        images.classes(of: 0) == [1, 2] && images.classes(of: 1) == [] && images.histogram == [0, 1, 1])
      let path = folder + "/x.rec"
      #expect(
        message { _ = try opened(write([[0, 1]]), multi: true) }
          == "Mismatch between number of labels in the multi-label data (2) and the num_classes parameter (3): "
          + "\(path): byte 0: record 0")
      #expect(
        message { _ = try opened(write([[0, 2, 0]]), multi: true) }
          == "\(path): byte 0: record 0: the multi-label data has the label 2; 0 or 1 is expected")
      #expect(
        message { _ = try opened(write([[0, 1, 0]])) }
          == "\(path): byte 0: record 0: the image has 3 labels, but multi_label is 0; one label is expected")
    }
  }

  @Test("a .rec that is empty, cut short or none at all is refused, with the byte")
  func damage() throws {
    try withScratchFolder { folder in
      let path = folder + "/x.rec"
      try writeRecords(path, labels: [0, 1])
      let whole = try readFile(path).bytes
      let second = try 32 + (smallImage(0).count + 3) / 4 * 4
      writeScratchFile(path, [])
      #expect(
        message { _ = try opened(.records(path)) }
          == "Unable to start training. Empty .rec file in train channel.")
      writeScratchFile(path, whole.dropLast(40))
      #expect(
        message { _ = try opened(.records(path)) }.hasPrefix(
          "The .rec file is truncated: \(path): byte \(second): the record needs "))
      writeScratchFile(path, [1, 2, 3, 4] + whole)
      #expect(
        message { _ = try opened(.records(path)) }
          == "Unable to parse record: The Record IO header does not start with the magic number: "
          + "\(path): byte 0: no record starts here: expected the bytes 0a 23 d7 ce, found 01 02 03 04")
      #expect(
        message { _ = try opened(.records(folder + "/y.rec")) }
          == "\(folder)/y.rec: there is no such file or folder")
    }
  }

  @Test("a list that is bad, empty or names a missing file is refused, with the line")
  func badList() throws {
    withScratchFolder { folder in
      let path = folder + "/x.lst"
      for (text, sentence) in [
        (
          "1\t0\n",
          "Invalid lst file in the train channel. \(path):1: 2 of the 3 fields id, label and path, which tabs separate"
        ),
        ("", "Invalid lst file in the train channel. \(path) names no image"),
        ("1\t0\tno.png\n", "\(path):1: the image \(folder)/no.png does not exist"),
        (
          "1\t0\t1\tno.png\n",
          "\(path):1: no.png: the image has 2 labels, but multi_label is 0; one label is expected"
        ),
      ] {
        writeScratchFile(path, text.utf8)
        #expect(message { _ = try opened(.list(path, root: folder)) } == sentence)
      }
    }
  }

  @Test("images too small for the shape are found before training, the first by name")
  func sizes() throws {
    try withScratchFolder { folder in
      var file: [UInt8] = []
      for (number, size) in [(12, 10), (9, 10), (12, 7)].enumerated() {
        let image = try smallImage(number, width: size.0, height: size.1)
        try appendRecord(ImageHeader(label: 0, id: UInt64(number)), image: image.span, to: &file)
      }
      let broken = noImage
      try appendRecord(ImageHeader(label: 0, id: 3), image: broken.span, to: &file)
      writeScratchFile(folder + "/x.rec", file)
      let images = try opened(.records(folder + "/x.rec"))
      let workers = Workers(count: 2)
      try images.checkSizes(Preset(shape: [3, 7, 9]), workers: workers)
      try images.checkSizes(Preset(resize: 10, shape: [3, 10, 10]), workers: workers)
      #expect(
        message { try images.checkSizes(Preset(shape: [3, 8, 10]), workers: workers) }
          == "\(images.name(of: 1)): input image size smaller than input shape: 9x10 pixels, from which 10x8 are to be "
          + "cropped; 1 more of 4 images in the train channel are too small")
    }
  }

  @Test("sets are compared with the hyperparameters: counts, batches, classes without images")
  func check() throws {
    try withScratchFolder { folder in
      try writeRecords(folder + "/t.rec", labels: [0, 1, 2, 0])
      try writeRecords(folder + "/v.rec", labels: [1])
      let (train, validation) = try (
        opened(.records(folder + "/t.rec")),
        TrainingImages(.records(folder + "/v.rec"), channel: "validation", classCount: 3)
      )
      var values = HyperparameterSet()
      (values.numClasses, values.numTrainingSamples) = (3, 4)
      #expect(try values.check(train: train, validation: train, batch: 4) == [])
      #expect(
        try values.check(train: train, validation: validation, batch: 4, names: ["cat", "dog"]).map(
          \.description)
          == ["the validation channel has no image of classes 0 (cat), 2"])
      values.numTrainingSamples = 5
      #expect(
        try values.check(train: train, validation: nil, batch: 2).map(\.description)
          == ["num_training_samples is 5, but the train channel has 4 images; the number of images is used"])
      #expect(
        message { _ = try values.check(train: train, validation: nil, batch: 5) }
          == "The number of input images must be bigger or equal to the mini_batch_size. The train channel has 4 images, "
          + "a batch 5")
    }
  }
}
