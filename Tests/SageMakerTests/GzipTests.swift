import Foundation
import Models
import TestSupport
import Testing

@testable import SageMaker

@Suite("Compressed objects")
struct GzipTests {
  /// What the machine's own gzip makes of a text.
  private func packed(_ text: String, in folder: String) throws -> [UInt8] {
    let desk = try Desk(folder)
    try desk.putGzip("a", text)
    return Array(try Data(contentsOf: URL(filePath: folder + "/s3/b/a")))
  }

  private func unpacked(_ bytes: [UInt8], in folder: String) throws -> String {
    writeScratchFile(folder + "/in.gz", bytes)
    try unpackGzip(folder + "/in.gz", to: folder + "/out")
    return readScratchFile(folder + "/out")
  }

  @Test("what gzip packs comes out as it went in, also in several parts")
  func whole() throws {
    try withScratchFolder { (folder) throws in
      let long = (0..<300_000).map { "\($0 &* 2_654_435_761)\n" }.joined()
      for text in ["", "a", long, String(repeating: "x", count: 1 << 21)] {
        #expect(try unpacked(packed(text, in: folder), in: folder) == text)
      }
      let two = try packed("one ", in: folder) + packed("two", in: folder)
      #expect(try unpacked(two, in: folder) == "one two")
    }
  }

  @Test("what is damaged or cut short, at any byte, is refused, and leaves nothing")
  func damaged() throws {
    try withScratchFolder { (folder) throws in
      let good = try packed("some text, and some more text", in: folder)
      for length in 0..<good.count {
        #expect(throws: GzipFault.self) { try unpacked(Array(good[..<length]), in: folder) }
      }
      // Bytes 4 to 9 are a time and a system, of which nothing is made.
      for index in good.indices where !(4...9).contains(index) {
        var bad = good
        bad[index] ^= 0x10
        // A flag announces a name, or that there is none.
        if index == 3 { continue }
        #expect(throws: GzipFault.self, "byte \(index)") { try unpacked(bad, in: folder) }
      }
      #expect(throws: GzipFault.self) { try unpacked(good + [1, 2, 3], in: folder) }
      #expect(!FileManager.default.fileExists(atPath: folder + "/out"))
      #expect(!FileManager.default.fileExists(atPath: folder + "/out.partial"))
    }
  }
}
