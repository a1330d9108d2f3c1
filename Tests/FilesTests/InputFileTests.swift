import Files
import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Reading a file")
struct InputFileTests {
  @Test("gives all its bytes, whatever their number", arguments: [0, 1, 4096, 1_000_003])
  func whole(byteCount: Int) throws {
    try withScratchFolder { folder in
      let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 7) }
      try Data(bytes).write(to: URL(filePath: folder + "/a"))
      let file = try readFile(folder + "/a")
      #expect(file.bytes == bytes)
      #expect(file.stamp.byteCount == byteCount)
      #expect(FileStamp(path: folder + "/a") == file.stamp)
    }
  }

  @Test("gives its start or its end", arguments: [0, 1, 4096, 10_000])
  func ends(byteCount: Int) throws {
    try withScratchFolder { folder in
      let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 7) }
      try Data(bytes).write(to: URL(filePath: folder + "/a"))
      #expect(try readStart(of: folder + "/a", byteCount: byteCount) == Array(bytes.prefix(byteCount)))
      let end = try readEnd(of: folder + "/a", byteCount: byteCount)
      #expect(end.bytes == Array(bytes.suffix(byteCount)) && end.offset == max(0, 4096 - byteCount))
      #expect(throws: FileError.self) { try readEnd(of: folder + "/none", byteCount: byteCount) }
    }
  }

  @Test("refuses what is not a regular file, without blocking")
  func special() {
    withScratchFolder { folder in
      mkfifo(folder + "/fifo.jpg", 0o666)
      mkdir(folder + "/folder.jpg", 0o777)
      symlink("loop", folder + "/loop")
      #expect(reason(folder + "/fifo.jpg") == .notRegular("a FIFO"))
      #expect(reason(folder + "/folder.jpg") == .notRegular("a folder"))
      #expect(reason("/dev/zero") == .notRegular("a device"))
      #expect(reason(folder + "/loop") == .system(call: "open", code: ELOOP))
      #expect(reason(folder + "/none") == .system(call: "open", code: ENOENT))
    }
  }

  @Test("refuses a file over the limit before memory is allocated")
  func limit() {
    withScratchFolder { folder in
      // A sparse file: no test machine would have its size in memory.
      let descriptor = open(folder + "/huge", O_WRONLY | O_CREAT, 0o666)
      ftruncate(descriptor, 1 << 42)
      close(descriptor)
      #expect(throws: FileError(.tooLarge(byteCount: 1 << 42, limit: 1 << 30), path: folder + "/huge")) {
        _ = try readFile(folder + "/huge", limit: 1 << 30)
      }
    }
  }

  private func reason(_ path: String) -> FileError.Reason? {
    do throws(FileError) {
      _ = try readFile(path)
      return nil
    } catch {
      return error.reason
    }
  }
}

@Suite("Paths")
struct PathTests {
  @Test(
    "are split and joined as Python's os.path does",
    arguments: [
      ("a/b.jpg", "a/b", ".jpg"), ("a.d/b", "a.d/b", ""), (".jpg", ".jpg", ""),
      ("a/..b.JPG", "a/..b", ".JPG"),
      ("b.", "b", "."), ("", "", ""), ("é/ü.tar.gz", "é/ü.tar", ".gz"),
    ])
  func splitting(path: String, stem: String, suffix: String) {
    #expect(splitExtension(path).stem == stem)
    #expect(splitExtension(path).suffix == suffix)
  }

  @Test func joining() {
    #expect(join("a", "b") == "a/b")
    #expect(join("a/", "b") == "a/b")
    #expect(join("a", "/b") == "/b")
    #expect(join("", "b") == "b")
    #expect(folderName("a/b") == "a")
    #expect(folderName("b") == ".")
    #expect(folderName("/b") == "/")
    #expect(baseName("a/b") == "b")
  }
}
