import Files
import Glibc
import TestSupport
import Testing

@Suite("A group of staged files")
struct StagedGroupTests {
  @Test("renames its files together, replacing former ones")
  func publishing() throws {
    try withScratchFolder { folder in
      writeScratchFile(folder + "/b", [9])
      var group = try StagedGroup(folder)
      for (name, bytes) in [("a", [1, 2]), ("b", [3])] as [(String, [UInt8])] {
        try group.add("\(folder)/\(name)", bytes.span)
      }
      #expect(group.count == 2 && group.contains(folder + "/a"))
      #expect(
        scratchNames(folder) == ["a.partial", "b", "b.partial"] && readScratchBytes(folder + "/b") == [9])
      try group.publish(last: true)
      #expect(scratchNames(folder) == ["a", "b"] && group.count == 0)
      #expect(readScratchBytes(folder + "/a") == [1, 2] && readScratchBytes(folder + "/b") == [3])
    }
  }

  @Test("removes files that have no final name yet, and nothing else")
  func discarding() throws {
    try withScratchFolder { folder in
      var group = try StagedGroup(folder)
      try group.add(folder + "/a", [1].span)
      try group.publish()
      try group.add(folder + "/b", [1].span)
      group.discard()
      #expect(scratchNames(folder) == ["a"])
    }
  }

  @Test("says which file cannot be written, and is alone in its folder")
  func failures() throws {
    try withScratchFolder { folder in
      var group = try StagedGroup(folder)
      #expect(throws: FileError(.inUse, path: folder)) { _ = try StagedGroup(folder) }
      let error = #expect(throws: FileError.self) { try group.add(folder + "/none/a", [1].span) }
      #expect(error?.path == folder + "/none/a.partial" && error?.isMissing == true)
      #expect(throws: FileError.self) { _ = try StagedGroup(folder + "/none") }
    }
  }

  @Test("releases its lock even if a child process that is just starting shares the descriptor")
  func inheritedDescriptor() throws {
    try withScratchFolder { folder in
      // As after fork: a second descriptor of the same open folder.
      var copy: Int32 = -1
      do {
        let group = try StagedGroup(folder)
        for number in Int32(3)..<1024 where copy < 0 {
          var name = [CChar](repeating: 0, count: 4096)
          let count = readlink("/proc/self/fd/\(number)", &name, name.count)
          let path = name.prefix(max(0, count)).map { UInt8(bitPattern: $0) }
          if String(decoding: path, as: UTF8.self) == folder { copy = dup(number) }
        }
        #expect(copy >= 0 && group.count == 0)
      }
      defer { close(copy) }
      _ = try StagedGroup(folder)
    }
  }
}
