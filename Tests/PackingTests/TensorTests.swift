import Files
import Imaging
import Records
import TestSupport
import Testing

@testable import Packing

@Suite("Tensors of records")
struct TensorTests {
  @Test("are rows of a NumPy array, in the records' order, whatever the number of jobs", arguments: [1, 4])
  func rows(jobs: Int) async throws {
    try await withScratchFolder { folder in
      let path = try await packed(in: folder)
      var options = TensorOptions(
        preset: try Preset(resize: 32, shape: [3, 24, 28], mean: [1, 2, 3], std: [2, 4, 8]))
      options.jobs = jobs
      let summary = try await writeTensors(path, to: folder + "/x.npy", options: options)
      #expect(summary.shape == [20, 3, 24, 28])
      let file = try #require(contents(folder + "/x.npy"))
      let text = String(decoding: file[10..<128], as: UTF8.self)
      #expect(
        text.hasPrefix("{'descr': '<f4', 'fortran_order': False, 'shape': (20, 3, 24, 28), }")
          && text.hasSuffix("\n"))
      let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0, 118, 0]
      #expect(Array(file[..<10]) == magic)
      let elementCount = 20 * 3 * 24 * 28
      #expect(file.count == 128 + elementCount * 4)
      var reader = try RecordReader(path)
      for row in 0..<20 {
        let record = try #require(try reader.next())
        var tensor = [Float](repeating: 0, count: 3 * 24 * 28)
        var span = tensor.mutableSpan
        try options.preset.fill(
          &span, from: record.payload.span.extracting(24..<record.payload.count), DecodeOptions())
        let bytes = tensor.withUnsafeBytes { Array($0) }
        let start = 128 + row * bytes.count
        #expect(Array(file[start..<start + bytes.count]) == bytes)
      }
      let labels = try #require(contents(folder + "/x-labels.npy"))
      #expect(String(decoding: labels[10..<128], as: UTF8.self).contains("'shape': (20,), }"))
      #expect(Array(labels[128...]) == (0..<20).flatMap { bytes(Float($0 / 10)) })
    }
  }

  @Test(
    "get the suffix .npy where the name has none, as numpy.save gives it",
    arguments: ["x", "x.npy", "a.b/x.1"])
  func suffix(_ name: String) async throws {
    try await withScratchFolder { folder in
      makeScratchFolders(above: folder + "/a.b/x")
      let path = try await packed(in: folder)
      let options = TensorOptions(preset: try Preset(shape: [1, 8, 8]))
      let summary = try await writeTensors(path, to: folder + "/" + name, options: options)
      let stem = name.hasSuffix(".npy") ? "x" : name
      #expect(summary.images == "\(folder)/\(stem).npy" && summary.labels == "\(folder)/\(stem)-labels.npy")
      #expect(contents(summary.images) != nil && contents(summary.labels) != nil)
    }
  }

  @Test("have as many labels as the first record; others are skipped and said")
  func labels() async throws {
    try await withScratchFolder { folder in
      var file: [UInt8] = []
      let image = try smallImage(1)
      let broken: [UInt8] = [1, 2, 3]
      try appendRecord(ImageHeader(labels: [1, 2], id: 0), image: image.span, to: &file)
      try appendRecord(ImageHeader(label: 1, id: 1), image: image.span, to: &file)
      try appendRecord(ImageHeader(labels: [3, 4], id: 2), image: broken.span, to: &file)
      try appendRecord(ImageHeader(labels: [5, 6], id: 3), image: image.span, to: &file)
      writeScratchFile(folder + "/x.rec", file)
      var options = TensorOptions(preset: try Preset(shape: [1, 8, 8]))
      options.type = .uint8
      let summary = try await writeTensors(folder + "/x.rec", to: folder + "/x.npy", options: options)
      #expect(summary.records == 2)
      #expect(summary.skipped.count == 2)
      #expect(contents(folder + "/x.npy")?.count == 128 + 2 * 64)
      let labels = try #require(contents(folder + "/x-labels.npy"))
      let expected: [Float] = [1, 2, 5, 6]
      #expect(Array(labels.suffix(16)) == expected.flatMap { bytes($0) })
    }
  }

  @Test("of no records are an error, and no file is left")
  func nothing() async throws {
    try await withScratchFolder { folder in
      var file: [UInt8] = []
      let broken: [UInt8] = [1]
      try appendRecord(ImageHeader(label: 1, id: 1), image: broken.span, to: &file)
      writeScratchFile(folder + "/x.rec", file)
      await #expect(throws: InputError.self) {
        _ = try await writeTensors(
          folder + "/x.rec", to: folder + "/x.npy", options: TensorOptions(preset: try Preset()))
      }
      #expect(contents(folder + "/x.npy") == nil)
      #expect(contents(folder + "/x.npy.partial") == nil)
    }
  }

  private func bytes(_ value: Float) -> [UInt8] {
    withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
  }
}
