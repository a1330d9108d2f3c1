import Foundation
import S3
import Synchronization
import TestSupport
import Testing

@testable import SageMaker

/// Archives in memory.
private final class Archives: ObjectSource {
  let contents = Mutex<[String: String]>([:])
  let downloads = Mutex(0)

  init(_ contents: [String: String]) { self.contents.withLock { $0 = contents } }

  func list(_ prefix: S3Location, visit: ([ListedObject]) throws -> Bool) async throws {
    guard let text = contents.withLock({ $0[prefix.key] }) else { return }
    _ = try visit([ListedObject(location: prefix, byteCount: text.utf8.count, etag: text)])
  }

  func download(_ object: S3Location, to path: String) async throws {
    guard let text = contents.withLock({ $0[object.key] }) else {
      throw ObjectError(.noSuchKey, "there is no object \(object)")
    }
    downloads.withLock { $0 += 1 }
    writeScratchFile(path, text.utf8)
  }

  func upload(_ path: String, to object: S3Location) async throws {}
  func put(_ bytes: [UInt8], to object: S3Location) async throws {}
}

@Suite("Copies of models that endpoints use")
struct ModelCopiesTests {
  private func place(_ key: String) -> S3Location { S3Location(bucket: "b", key: key) }

  /// The contents of the copies that are there.
  private func held(_ folder: String) -> [String] {
    scratchNames(folder).filter { !$0.hasSuffix(".json") }
      .map { readScratchFile("\(folder)/\($0)/model.tar.gz") }.sorted()
  }

  @Test("a copy is there as long as an endpoint uses it, once for all of them")
  func life() async throws {
    try await withScratchFolder { folder in
      let archives = Archives(["a": "one", "c": "two"])
      let copies = ModelCopies(objects: archives, folder: folder)
      for name in ["x", "y"] {
        let brought = try await copies.bring([place("a")], for: name, isBegin: true)
        #expect(readScratchFile(await copies.path(of: brought[0])) == "one")
        await copies.accept(name)
      }
      #expect(archives.downloads.withLock(\.self) == 1 && held(folder) == ["one"])
      // An update that fails, and one that does not.
      _ = try await copies.bring([place("c")], for: "x", isBegin: false)
      #expect(held(folder) == ["one", "two"])
      await copies.reject("x")
      #expect(held(folder) == ["one"])
      _ = try await copies.bring([place("c")], for: "x", isBegin: false)
      await copies.accept("x")
      #expect(held(folder) == ["one", "two"])
      await copies.release("y")
      #expect(held(folder) == ["two"])
      await copies.release("x")
      #expect(scratchNames(folder).isEmpty)
    }
  }

  @Test("after a program that was killed, what is used is there, and the rest goes")
  func killed() async throws {
    try await withScratchFolder { folder in
      let archives = Archives(["a": "one", "c": "two"])
      let first = ModelCopies(objects: archives, folder: folder)
      _ = try await first.bring([place("a")], for: "x", isBegin: true)
      await first.accept("x")
      // Killed in the midst of an update, and of a download.
      _ = try await first.bring([place("c")], for: "x", isBegin: false)
      let used = scratchNames(folder).first { !$0.hasSuffix(".json") } ?? ""
      writeScratchFile("\(folder)/\(used)/model.tar.gz.1.partial", "half".utf8)
      writeScratchFile("\(folder)/nobodys/model.tar.gz", "old".utf8)
      let second = ModelCopies(objects: archives, folder: folder)
      #expect(held(folder) == ["one", "two"])
      #expect(scratchNames("\(folder)/\(used)") == ["model.tar.gz"])
      // The object is gone meanwhile; the endpoint was in service, and comes back.
      archives.contents.withLock { $0["a"] = nil }
      let brought = try await second.bring([place("a")], for: "x", isBegin: true)
      #expect(readScratchFile(await second.path(of: brought[0])) == "one")
      await second.accept("x")
      #expect(held(folder) == ["one"])
      await #expect(throws: ControlPlaneError.self) {
        try await second.bring([place("a")], for: "new", isBegin: true)
      }
    }
  }
}
