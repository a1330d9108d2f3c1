import Files
import TestSupport
import Testing

@testable import Sampling

@Suite("The outputs of imagined classifiers")
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
