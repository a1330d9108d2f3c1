import Files
import Foundation
import TestSupport
import Testing

@Suite("A staged file")
struct StagedFileTests {
  @Test("gives the final name only when it is published")
  func publishing() throws {
    try withScratchFolder { folder in
      let path = folder + "/a.bin"
      var file = try StagedFile(path)
      try file.append("whole")
      try file.flush()
      #expect(!FileManager.default.fileExists(atPath: path))
      #expect(try read(path + ".partial") == "whole")
      try file.publish()
      #expect(try read(path) == "whole")
      #expect(!FileManager.default.fileExists(atPath: path + ".partial"))
    }
  }

  @Test("leaves the former file when it is discarded or dropped", arguments: [true, false])
  func former(isDiscarded: Bool) throws {
    try withScratchFolder { folder in
      let path = folder + "/a.bin"
      try writeFile(path, "old")
      var file = try StagedFile(path)
      try file.append("new")
      if isDiscarded { file.discard() } else { try file.flush() }
      #expect(try read(path) == "old")
      #expect(FileManager.default.fileExists(atPath: path + ".partial") == !isDiscarded)
    }
  }

  @Test("is refused to a second writer")
  func locking() throws {
    try withScratchFolder { folder in
      let first = try StagedFile(folder + "/a.bin")
      #expect(throws: FileError(.inUse, path: folder + "/a.bin")) { _ = try StagedFile(folder + "/a.bin") }
      first.discard()
    }
  }

  @Test("keeps what an earlier run wrote only where asked to", arguments: [true, false])
  func resuming(keeps: Bool) throws {
    try withScratchFolder { folder in
      do {
        var file = try StagedFile(folder + "/a.bin")
        try file.append("abc")
        try file.flush()
      }
      var file = try StagedFile(folder + "/a.bin", keepingContents: keeps)
      try file.append("d")
      try file.publish()
      #expect(try read(folder + "/a.bin") == (keeps ? "abcd" : "d"))
    }
  }

  @Test(
    "holds what was appended, overwritten and cut off, whatever the sizes",
    arguments: [1, 1000, 1 << 20, 3_000_000])
  func contents(byteCount: Int) throws {
    try withScratchFolder { folder in
      let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      var file = try StagedFile(folder + "/a.bin")
      try file.append("head")
      try file.append(bytes.span)
      try file.append("tail")
      #expect(file.byteCount == byteCount + 8)
      try file.overwrite(Array("HEAD".utf8).span, at: 0)
      try file.truncate(to: byteCount + 4)
      try file.publish()
      #expect(try Array(Data(contentsOf: URL(filePath: folder + "/a.bin"))) == Array("HEAD".utf8) + bytes)
    }
  }

  @Test("is refused if a folder has its name, and if its folder does not exist")
  func refusal() {
    withScratchFolder { folder in
      #expect(throws: FileError.self) { _ = try StagedFile(folder) }
      #expect(throws: FileError.self) { _ = try StagedFile(folder + "/none/a.bin") }
    }
  }

  private func read(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
}
