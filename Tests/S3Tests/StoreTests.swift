import Files
import Foundation
import Glibc
import TestSupport
import Testing

@testable import S3

@Suite("The store")
struct StoreTests {
  @Test("what is put is a plain file, and comes back with what belongs to it, also after a restart")
  func roundTrip() throws {
    try withStore { store, root in
      let attributes = try ObjectAttributes([
        ("Content-Type", "image/jpeg"), ("x-amz-meta-Kind", "a \u{e9}\n b"), ("Host", "nobody"),
      ])
      let made = try store.put(Array("hello".utf8), as: "photos", "a/b c.jpg", attributes: attributes)
      #expect(made.etag == "5d41402abc4b2a76b9719d911017c592")
      #expect(readScratchFile(root + "/photos/a/b c.jpg") == "hello")
      for store in [store, try ObjectStore(root: root, durably: false)] {
        let info = try store.info("photos", "a/b c.jpg")
        #expect(info == made)
        #expect(info.attributes.headers == ["content-type": "image/jpeg", "x-amz-meta-kind": "a \u{e9}\n b"])
        #expect(try store.bytes("photos", "a/b c.jpg") == Array("hello".utf8))
      }
      try store.delete("photos", "a/b c.jpg")
      try store.delete("photos", "a/b c.jpg")
      #expect(code { _ = try store.info("photos", "a/b c.jpg") } == .noSuchKey)
      #expect(scratchNames(root + "/photos").isEmpty)
      #expect(scratchNames(root + "/.imrec/staging").isEmpty)
    }
  }

  @Test("a file that came by hand is an object, and one changed by hand is another one")
  func byHand() throws {
    try withStore { store, root in
      writeScratchFile(root + "/photos/x/hand.txt", Array("hello".utf8))
      #expect(try store.info("photos", "x/hand.txt").etag == "5d41402abc4b2a76b9719d911017c592")
      try store.put([1, 2, 3], as: "photos", "put", attributes: ObjectAttributes([("content-type", "a/b")]))
      writeScratchFile(root + "/photos/put", Array("hello!".utf8))
      let changed = try store.info("photos", "put")
      #expect(changed.etag == "5a8dd3ad0756a93ded72b823b19dd877")
      #expect(changed.attributes.headers.isEmpty)
      #expect(try store.keys() == ["put", "x/hand.txt"])
    }
  }

  @Test("buckets are folders, with S3's names and errors")
  func buckets() throws {
    try withStore { store, root in
      #expect(code { try store.makeBucket("photos") } == .bucketAlreadyOwnedByYou)
      for name in [
        "", "ab", "Photos", "a_b", "-abc", "abc-", "a..b", "192.168.0.1", "a/b", "..",
        String(repeating: "a", count: 64),
      ] {
        #expect(code { try store.makeBucket(name) } == .invalidBucketName, "\(name)")
      }
      mkdir(root + "/Made by hand", 0o755)
      symlink("/", root + "/everything")
      #expect(try store.buckets().map(\.name) == ["Made by hand", "photos"])
      for name in ["everything", "nobody", ".imrec", "..", "", "photos/a"] {
        #expect(code { try store.checkBucket(name) } == .noSuchBucket, "\(name)")
      }
      try store.put([], as: "photos", "a/b")
      #expect(code { try store.deleteBucket("photos") } == .bucketNotEmpty)
      try store.delete("photos", "a/b")
      mkdir(root + "/photos/empty", 0o755)
      try store.deleteBucket("photos")
      #expect(code { try store.deleteBucket("photos") } == .noSuchBucket)
    }
  }

  @Test(
    "keys that cannot be paths are refused when put, and do not exist when asked for",
    arguments: [
      "/lead", "a//b", "a/./b", "../up", "a/../../up", "..", ".", "a\u{0}b", "//", "/",
      String(repeating: "x", count: 256),
      String(repeating: "d/", count: 511) + "..",
    ])
  func badKeys(_ key: String) throws {
    try withStore { store, root in
      let found = code { try store.put([1], as: "photos", key) }
      #expect(found == .invalidArgument || found == .keyTooLong)
      #expect(code { _ = try store.open("photos", key) } == .noSuchKey)
      try store.delete("photos", key)
      #expect(scratchNames(root) == [".imrec", "photos"])
      #expect(scratchNames(root + "/photos").isEmpty)
    }
  }

  @Test("a key of more than 1024 bytes is too long, and one of 1024 is not")
  func longKeys() throws {
    try withStore { store, _ in
      let key = String(repeating: "12345678901/", count: 85) + "1234"
      try store.put([7], as: "photos", key)
      #expect(try store.keys() == [key])
      #expect(code { try store.put([], as: "photos", key + "5") } == .keyTooLong)
      #expect(code { _ = try store.open("photos", key + "5") } == .keyTooLong)
    }
  }

  @Test("a file cannot also be a folder, and both stay unchanged")
  func conflicts() throws {
    try withStore { store, _ in
      try store.put([1], as: "photos", "a")
      try store.put([2], as: "photos", "b/c")
      #expect(code { try store.put([3], as: "photos", "a/b") } == .invalidRequest)
      #expect(code { try store.put([3], as: "photos", "b") } == .invalidRequest)
      #expect(code { _ = try store.open("photos", "b") } == .noSuchKey)
      #expect(code { _ = try store.open("photos", "a/b") } == .noSuchKey)
      #expect(try store.bytes("photos", "a") == [1])
      #expect(try store.bytes("photos", "b/c") == [2])
      // Composed and decomposed letters are two keys.
      try store.put([4], as: "photos", "\u{e9}")
      try store.put([5], as: "photos", "e\u{301}")
      #expect(try store.bytes("photos", "\u{e9}") == [4])
      #expect(try store.keys() == ["a", "b/c", "e\u{301}", "\u{e9}"])
    }
  }

  @Test("symbolic links are never followed, neither as objects nor as folders, and stay")
  func links() throws {
    try withStore { store, root in
      writeScratchFile(root + "/secret", [9])
      symlink(root + "/secret", root + "/photos/link")
      symlink(root, root + "/photos/up")
      #expect(code { _ = try store.open("photos", "link") } == .noSuchKey)
      #expect(code { _ = try store.open("photos", "up/secret") } == .noSuchKey)
      #expect(try store.keys().isEmpty)
      #expect(code { try store.put([1], as: "photos", "up/new") } == .invalidRequest)
      try store.delete("photos", "link")
      try store.delete("photos", "up/secret")
      #expect(readScratchBytes(root + "/secret") == [9])
      #expect(scratchNames(root + "/photos") == ["link", "up"])
      mkfifo(root + "/photos/fifo", 0o644)
      #expect(code { _ = try store.open("photos", "fifo") } == .noSuchKey)
    }
  }

  @Test("a key with a slash at its end is a folder, and an object once it was put")
  func folders() throws {
    try withStore { store, _ in
      try store.put([1], as: "photos", "x/a")
      #expect(code { _ = try store.open("photos", "x/") } == .noSuchKey)
      #expect(code { try store.put([1], as: "photos", "x/") } == .invalidRequest)
      try store.put(
        [], as: "photos", "x/", attributes: ObjectAttributes([("content-type", "application/x-directory")]))
      #expect(try store.info("photos", "x/").byteCount == 0)
      #expect(try store.keys() == ["x/", "x/a"])
      try store.delete("photos", "x/a")
      #expect(try store.keys() == ["x/"])
      #expect(try store.bytes("photos", "x/").isEmpty)
      #expect(code { try store.put([1], as: "photos", "x") } == .invalidRequest)
      #expect(try store.keys() == ["x/"])
      try store.delete("photos", "x/")
      #expect(try store.keys().isEmpty)
    }
  }

  @Test("wrong digests leave the former object")
  func wrongDigests() throws {
    try withStore { store, root in
      try store.put([1], as: "photos", "k")
      for algorithm in ChecksumAlgorithm.allCases {
        let right = try { () throws -> Checksum in
          var state = ChecksumState(algorithm)
          state.update(([2] as [UInt8]).span)
          return state.checksum
        }()
        let wrong = Checksum(algorithm, right.bytes.map { $0 ^ 1 })
        for (checksum, isGood) in [(wrong, false), (right, true)] {
          let staged = try store.stage("photos", "k", checksum: algorithm)
          try staged.append(([2] as [UInt8]).span)
          let found = code {
            try store.finish(staged, as: "photos", "k", expected: ExpectedDigests(checksum: checksum))
          }
          #expect(found == (isGood ? nil : .badDigest))
          if isGood { #expect(try store.info("photos", "k").checksum == right) }
        }
      }
      let staged = try store.stage("photos", "k", withSHA256: true)
      #expect(
        code { try store.finish(staged, as: "photos", "k", expected: ExpectedDigests(md5: [1])) }
          == .badDigest)
      #expect(
        code { try store.finish(staged, as: "photos", "k", expected: ExpectedDigests(sha256: "00")) }
          == .contentSHA256Mismatch)
      #expect(try store.bytes("photos", "k") == [2])
    }
  }

  @Test("conditions of a put are kept")
  func conditions() throws {
    try withStore { store, _ in
      func put(_ bytes: [UInt8], _ change: (inout WriteConditions) -> Void) throws {
        let staged = try store.stage("photos", "k")
        try staged.append(bytes.span)
        var conditions = WriteConditions()
        change(&conditions)
        try store.finish(staged, as: "photos", "k", conditions: conditions)
      }
      #expect(code { try put([1]) { $0.etag = "x" } } == .noSuchKey)
      try put([1]) { $0.mustBeNew = true }
      #expect(code { try put([2]) { $0.mustBeNew = true } } == .preconditionFailed)
      #expect(code { try put([2]) { $0.etag = "x" } } == .preconditionFailed)
      let etag = try store.info("photos", "k").etag
      try put([3]) { $0.etag = etag }
      #expect(try store.bytes("photos", "k") == [3])
    }
  }

  @Test("of writers of one key that are told it must be new, one succeeds")
  func racing() async throws {
    try await withScratchFolder { root in
      let store = try ObjectStore(root: root, durably: false)
      try store.makeBucket("photos")
      let winners = await withTaskGroup(of: Bool.self) { group in
        for number in 0..<16 {
          group.addTask {
            var conditions = WriteConditions()
            conditions.mustBeNew = true
            guard let staged = try? store.stage("photos", "a/b/c") else { return false }
            try? staged.append([UInt8(number)].span)
            return (try? store.finish(staged, as: "photos", "a/b/c", conditions: conditions)) != nil
          }
        }
        var count = 0
        for await won in group where won { count += 1 }
        return count
      }
      #expect(winners == 1)
    }
  }

  @Test("putting and deleting in one folder side by side loses nothing")
  func churn() async throws {
    try await withScratchFolder { root in
      let store = try ObjectStore(root: root, durably: false)
      try store.makeBucket("photos")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<4 {
          group.addTask {
            for _ in 0..<50 {
              try store.put([1], as: "photos", "deep/er/\(number)")
              try store.delete("photos", "deep/er/\(number)")
            }
            try store.put([UInt8(number)], as: "photos", "deep/er/\(number)")
          }
        }
        try await group.waitForAll()
      }
      #expect(try store.keys() == ["deep/er/0", "deep/er/1", "deep/er/2", "deep/er/3"])
    }
  }

  @Test("a copy has the bytes and the attributes, or those that it is given")
  func copies() throws {
    try withStore { store, _ in
      let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
      try store.put(bytes, as: "photos", "a", attributes: ObjectAttributes([("content-type", "x/y")]))
      let copy = try store.copy(store.open("photos", "a"), to: "photos", "b/c")
      #expect(copy.attributes.headers == ["content-type": "x/y"])
      #expect(try store.bytes("photos", "b/c") == bytes)
      let other = try store.copy(
        store.open("photos", "a"), to: "photos", "a", attributes: ObjectAttributes([("x-amz-meta-k", "v")]))
      #expect(other.attributes.headers == ["x-amz-meta-k": "v"])
      #expect(other.etag == copy.etag)
    }
  }

  @Test("a reader goes on with the object that it opened")
  func stableReading() throws {
    try withStore { store, _ in
      try store.put([1, 2, 3], as: "photos", "k")
      let reader = try store.open("photos", "k")
      try store.put([4, 5, 6], as: "photos", "k")
      try store.delete("photos", "k")
      var bytes: [UInt8] = [0, 0, 0]
      var span = bytes.mutableSpan
      var raw = span.mutableBytes
      #expect(try reader.read(at: 1, into: &raw) == 2)
      #expect(bytes == [2, 3, 0])
    }
  }

  @Test("leftovers of a killed process are removed, and a damaged record counts as missing")
  func leftovers() throws {
    try withStore { store, root in
      writeScratchFile(root + "/.imrec/staging/left", [1])
      let busy = try store.stage("photos", "k")
      try store.put([1], as: "photos", "k", attributes: ObjectAttributes([("content-type", "x/y")]))
      let side = root + "/.imrec/objects/photos/" + scratchNames(root + "/.imrec/objects/photos")[0]
      let name = side + "/" + scratchNames(side)[0]
      let record = readScratchBytes(name) ?? []
      for count in 0..<record.count {
        writeScratchFile(name, record[..<count])
        let again = try ObjectStore(root: root, durably: false)
        let info = try again.info("photos", "k")
        #expect(info.etag == "55a54008ad1ba589aa210d2629c1df41")
        #expect(info.attributes.headers.isEmpty || count == record.count - 1)
      }
      #expect(scratchNames(root + "/.imrec/staging").count == 1)
      withExtendedLifetime(busy) {}
    }
  }

  @Test("between the record and the rename, a crash leaves the former object with what belongs to it")
  func crashBetween() throws {
    try withStore { store, root in
      try store.put([1], as: "photos", "k", attributes: ObjectAttributes([("content-type", "x/old")]))
      let next = ObjectRecord(
        key: "k", identity: FileIdentity(inode: 1, byteCount: 1, modifiedNanoseconds: 1), etag: "e",
        attributes: try ObjectAttributes([("content-type", "x/new")]), checksum: nil)
      try store.records.prepare("photos", next)
      let again = try ObjectStore(root: root, durably: false)
      #expect(try again.info("photos", "k").attributes.headers == ["content-type": "x/old"])
      try again.put([2], as: "photos", "k", attributes: ObjectAttributes([("content-type", "x/third")]))
      #expect(try again.info("photos", "k").attributes.headers == ["content-type": "x/third"])
    }
  }

  @Test(
    "system errors are reported without the server's paths",
    arguments: [ENOSPC, EDQUOT, EMFILE, EFBIG, EIO])
  func paths(_ code: Int32) {
    for reason: FileError.Reason in [
      .system(call: "write", code: code), .noFolder("/secret"), .inUse, .changed,
    ] {
      let error = ObjectError(FileError(reason, path: "/secret/place"))
      #expect(!error.message.contains("/secret") && error.description.contains("/secret/place"))
    }
    let full = ObjectError(FileError(.system(call: "write", code: ENOSPC), path: "/p"))
    #expect(full.statusCode == 507 && full.message.contains("the disk is full"))
  }

  @Test("metadata of more than 2 KB is refused")
  func largeMetadata() {
    #expect(code { _ = try ObjectAttributes([("x-amz-meta-a", String(repeating: "b", count: 2047))]) } == nil)
    #expect(
      code { _ = try ObjectAttributes([("x-amz-meta-a", String(repeating: "b", count: 2048))]) }
        == .metadataTooLarge)
  }
}
