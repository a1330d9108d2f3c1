import Glibc
import TestSupport
import Testing

@testable import Files

@Suite("The lock of an output")
struct OutputLockTests {
  /// Fails as on a file system that does not support `flock`.
  private static func noLocks(_ descriptor: Int32) -> Int32 {
    errno = ENOLCK
    return -1
  }

  @Test("has one holder at a time, which is named, and leaves nothing behind")
  func oneAtATime() throws {
    try withScratchFolder { folder in
      do {
        let lock = try OutputLock(folder: folder)
        let isByFileOnly = lock.isByFileOnly
        #expect(!isByFileOnly)
        let error = #expect(throws: FileError.self) { _ = try OutputLock(folder: folder) }
        #expect(
          error?.description.hasPrefix("\(folder): it is in use by process \(getpid()), since 20") == true)
      }
      #expect(scratchNames(folder) == [])
      _ = try OutputLock(prefix: folder + "/photos")
      #expect(throws: FileError(.noFolder(folder + "/none"), path: folder + "/none/x")) {
        _ = try OutputLock(prefix: folder + "/none/x")
      }
    }
  }

  @Test(
    "without flock the file is the lock: taken over from a process that has ended, not from another machine's"
  )
  func byFileOnly() throws {
    try withScratchFolder { folder in
      let path = folder + "/lock"
      func take() throws(FileError) -> Bool {
        let lock = try OutputLock(file: path, of: folder, lock: Self.noLocks)
        return lock.isByFileOnly
      }
      let isTaken = try take()
      #expect(isTaken)
      #expect(scratchNames(folder) == [])
      var host = [CChar](repeating: 0, count: 256)
      gethostname(&host, 255)
      let here = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      writeScratchFile(path, Array("\(here)\n1\n0\n2026-01-01 00:00:00 UTC\n".utf8))
      // Process 1 started at another time.
      let isTakenOver = try take()
      #expect(isTakenOver)
      let other = Array("far\n4711\n12\n2026-01-01 00:00:00 UTC\n".utf8)
      writeScratchFile(path, other)
      #expect(
        throws: FileError(
          .held(by: "process 4711 on far, since 2026-01-01 00:00:00 UTC (\(path))"), path: folder)
      ) { _ = try take() }
      #expect(readScratchBytes(path) == other && scratchNames(folder) == ["lock"])
    }
  }

  @Test("a file that a killed process left behind is taken over")
  func leftBehind() throws {
    try withScratchFolder { folder in
      writeScratchFile(folder + "/.imrec.lock", Array("rubbish".utf8))
      _ = try OutputLock(folder: folder)
      #expect(scratchNames(folder) == [])
    }
  }
}
