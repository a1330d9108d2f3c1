import Files
import Glibc
import Imaging
import TestSupport
import Testing

@testable import Sampling

@Suite("The drawn data set")
struct SampleTests {
  @Test("has class folders, files named as Caltech's, and says what it wrote")
  func layout() throws {
    try withScratchFolder { folder in
      var calls: [Int] = []
      let summary = try writeSample(to: folder + "/s", options: small(imagesPerClass: 8)) { done, total in
        #expect(done <= total)
        calls.append(done)
      }
      #expect(summary.classes.count == 12)
      #expect(summary.classes.first == "001.bus" && summary.classes.last == "012.tree")
      #expect(calls == Array(1...summary.images))
      let files = try allFiles(folder + "/s")
      #expect(files.count == summary.images + 2)
      #expect(try files.reduce(0) { try $0 + readFile(folder + "/s/" + $1).bytes.count } == summary.bytes)
      for (label, name) in summary.classes.enumerated() {
        let own = files.filter { $0.hasPrefix(name + "/") }
        #expect((7...12).contains(own.count), "\(name) has \(own.count)")
        let number = name.prefix(3)
        for (index, file) in own.enumerated() {
          #expect(file.hasPrefix("\(name)/\(number)_000\(index + 1)") || index >= 9, "\(label): \(file)")
        }
      }
      #expect(!isFolder(folder + "/s.partial"))
    }
  }

  @Test("the same seed gives the same bytes, another seed others; one class more changes none of the others")
  func repeatable() throws {
    try withScratchFolder { folder in
      func make(_ name: String, seed: Int, classCount: Int = 3) throws -> [String: [UInt8]] {
        var options = small(imagesPerClass: 4)
        (options.seed, options.classCount, options.includesBroken) = (seed, classCount, false)
        _ = try writeSample(to: folder + "/" + name, options: options) { _, _ in }
        var files: [String: [UInt8]] = [:]
        for file in try allFiles(folder + "/" + name) {
          files[file] = try readFile(folder + "/\(name)/\(file)").bytes
        }
        return files
      }
      let first = try make("a", seed: 1)
      #expect(try make("b", seed: 1) == first)
      let other = try make("c", seed: -5)
      #expect(other.allSatisfy { first[$0.key] != $0.value })
      let more = try make("d", seed: 1, classCount: 4)
      #expect(more.count > first.count)
      #expect(first.allSatisfy { more[$0.key] == $0.value })
    }
  }

  @Test("every picture decodes, and the two broken files do not")
  func sound() throws {
    try withScratchFolder { folder in
      let summary = try writeSample(to: folder + "/s", options: small(imagesPerClass: 3)) { _, _ in }
      #expect(summary.broken.count == 2)
      var reasons: [ImageError.Reason] = []
      for file in try allFiles(folder + "/s") {
        let bytes = try readFile(folder + "/s/" + file).bytes
        if summary.broken.contains(file) {
          let error = #expect(throws: ImageError.self) { _ = try decode(bytes.span) }
          if let error { reasons.append(error.reason) }
        } else {
          let pixels = try decode(bytes.span)
          #expect(max(pixels.width, pixels.height) <= 64)
        }
      }
      #expect(reasons.count == 2 && reasons.contains(.truncated), "\(reasons)")
    }
  }

  @Test("every kind of file occurs in a class of 25, and is what it is called")
  func kinds() throws {
    var seen: Set<String> = []
    for label in 0..<12 {
      var ofClass: Set<String> = []
      for index in 0..<25 {
        var random = SampleRandom(seed: 1, label, index)
        let kind = PictureKind(class: label, index: index, &random)
        let name = "\(kind)".prefix { $0 != "(" }
        ofClass.insert(String(name))
        seen.insert("\(kind)")
        guard label == 0 else { continue }
        let file = try photograph(.star, as: kind, sides: 40...48, &random)
        let info = try probe(file.span)
        switch kind {
        case .jpeg(let progressive):
          #expect(info.format == .jpeg && info.channels == 3 && info.isProgressive == progressive)
        case .greyJPEG: #expect(info.format == .jpeg && info.channels == 1)
        case .cmykJPEG: #expect(info.format == .jpeg && info.channels == 4)
        case .rotatedJPEG(let orientation): #expect(info.format == .jpeg && info.orientation == orientation)
        case .png(let channels): #expect(info.format == .png && info.channels == channels)
        }
      }
      #expect(ofClass == ["jpeg", "greyJPEG", "cmykJPEG", "rotatedJPEG", "png"])
    }
    for orientation in [2, 3, 6, 8] { #expect(seen.contains("rotatedJPEG(orientation: \(orientation))")) }
  }

  @Test("a rotated picture is upright for a reader that applies EXIF", arguments: 1...8)
  func upright(_ orientation: Int) throws {
    var random = SampleRandom(seed: 3)
    let canvas = draw(.house, width: 48, height: 32, noisy: false, &random)
    let stored = canvas.stored(orientation: orientation)
    let turned = try pixels(of: stored)
    let file = try encode(
      turned, quality: 100, variant: JPEGVariant(subsampling: .s444, orientation: orientation))
    let read = try decode(file.span)
    #expect(read.width == 48 && read.height == 32)
    let expected = canvas.rgb()
    let distance = read.withBytes { bytes in
      (0..<bytes.byteCount).reduce(0) { sum, i in
        sum + abs(Int(bytes.unsafeLoad(fromByteOffset: i, as: UInt8.self)) - Int(expected[i]))
      }
    }
    #expect(
      distance < 3 * expected.count, "mean distance of \(Double(distance) / Double(expected.count)) levels")
  }

  @Test("a folder with contents is left alone; an empty one is used")
  func existing() throws {
    try withScratchFolder { folder in
      writeScratchFile(folder + "/full/mine.txt", [])
      let options = small(imagesPerClass: 1)
      let error = #expect(throws: SampleError.self) {
        _ = try writeSample(to: folder + "/full", options: options) { _, _ in }
      }
      #expect(error?.reason == .notEmpty)
      #expect(try allFiles(folder + "/full") == ["mine.txt"])
      let notAFolder = #expect(throws: SampleError.self) {
        _ = try writeSample(to: folder + "/full/mine.txt", options: options) { _, _ in }
      }
      #expect(notAFolder?.reason == .notAFolder)
      // What an interrupted run left does not matter.
      writeScratchFile(folder + "/empty.partial/001.bus/rest.jpg", [1])
      try makeFolder(folder + "/empty")
      let summary = try writeSample(to: folder + "/empty/", options: options) { _, _ in }
      #expect(try allFiles(folder + "/empty").count == summary.images + 2)
    }
  }

  private func small(imagesPerClass: Int) -> SampleOptions {
    var options = SampleOptions()
    (options.imagesPerClass, options.sides) = (imagesPerClass, 32...64)
    return options
  }

  private func pixels(of canvas: Canvas) throws -> Pixels {
    try Pixels(width: canvas.width, height: canvas.height, channels: 3, samples: canvas.rgb().span)
  }

}

/// Paths of all files below a folder, in the order of their bytes.
func allFiles(_ folder: String) throws -> [String] {
  var result: [String] = []
  var folders = [""]
  while let path = folders.popLast() {
    let listing = try #require(opendir(folder + "/" + path))
    defer { closedir(listing) }
    while let entry = readdir(listing) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name == "." || name == ".." { continue }
      let below = path.isEmpty ? name : path + "/" + name
      if isFolder(folder + "/" + below) { folders.append(below) } else { result.append(below) }
    }
  }
  return result.sorted()
}

@Suite("The outputs of invented classifiers")
struct ImaginedOutputsTests {
  private func options(classes: Int = 12) -> SampleOptions {
    var options = SampleOptions()
    (options.classCount, options.imagesPerClass, options.sides) = (classes, 8, 16...24)
    return options
  }

  private func rows(_ folder: String, _ files: [String]) throws -> [String: [Double]] {
    var rows: [String: [Double]] = [:]
    for file in files {
      let text = String(decoding: try readFile("\(folder)/\(file).out").bytes, as: UTF8.self)
      let start = try #require(text.firstIndex(of: "["))
      let end = try #require(text.firstIndex(of: "]"))
      rows[file] = text[text.index(after: start)..<end].split(separator: ", ").compactMap { Double($0) }
    }
    return rows
  }

  @Test("one for each sound picture, of probabilities that add up to 1", arguments: [1, 2, 12])
  func rows(classes: Int) throws {
    try withScratchFolder { folder in
      let options = options(classes: classes)
      let summary = try writeSample(to: folder + "/photos", options: options) { _, _ in }
      try writeImaginedOutputs(to: folder + "/outputs", options: options)
      let pictures = try allFiles(folder + "/photos").filter { !summary.broken.contains($0) }
      let outputs = try allFiles(folder + "/outputs/first")
      #expect(outputs == pictures.map { $0 + ".out" })
      #expect(try allFiles(folder + "/outputs/second") == outputs)
      for row in try rows(folder + "/outputs/second", pictures).values {
        #expect(row.count == classes && row.allSatisfy { $0 > 0 && $0 <= 1 })
        #expect(abs(row.reduce(0, +) - 1) < 1e-12)
      }
    }
  }

  @Test("mostly right, the second more often, and repeatable")
  func skill() throws {
    try withScratchFolder { folder in
      var options = options()
      options.imagesPerClass = 60
      try writeImaginedOutputs(to: folder + "/a", options: options)
      try writeImaginedOutputs(to: folder + "/b", options: options)
      let files = (0..<12).map { picturePaths($0, options).pictures }
      func right(_ run: String) throws -> Double {
        let rows = try rows(folder + "/a/" + run, files.flatMap(\.self))
        #expect(try rows == self.rows(folder + "/b/" + run, files.flatMap(\.self)))
        let hits = files.enumerated().map { label, own in
          own.count { file in
            guard let row = rows[file], let top = row.max() else { return false }
            return row.firstIndex(of: top) == label
          }
        }
        return Double(hits.reduce(0, +)) / Double(rows.count)
      }
      let (first, second) = (try right("first"), try right("second"))
      #expect((0.55...0.8).contains(first))
      #expect((first + 0.01...first + 0.12).contains(second))
    }
  }
}
