import Encodings
import Foundation
import TestSupport
import Testing

@testable import S3

@Suite("Uploads in parts")
struct PartTests {
  private static let large = [UInt8](repeating: 7, count: ObjectStore.smallestPart)

  @discardableResult
  private func put(_ bytes: [UInt8], _ number: Int, _ store: ObjectStore, _ upload: PartedUpload) throws
    -> ObjectPart
  {
    let staged = try store.stagePart(upload)
    try staged.append(bytes.span)
    return try store.finishPart(staged, "photos", upload, number: number)
  }

  private func claims(_ parts: [ObjectPart]) -> [PartClaim] {
    parts.map {
      PartClaim(
        number: $0.number, etag: $0.etag,
        checksums: $0.checksum.map { [$0.algorithm: $0.text] } ?? [:])
    }
  }

  @Test(
    "parts in any order, one of them put again, become one object",
    arguments: [nil] + ChecksumAlgorithm.allCases)
  func whole(_ checksum: ChecksumAlgorithm?) throws {
    try withStore { store, root in
      let attributes = try ObjectAttributes([("content-type", "x/y")])
      let begun = try store.beginUpload("photos", "d/big", attributes: attributes, checksum: checksum)
      try put([3, 3], 3, store, begun)
      try put([1], 1, store, begun)
      // Parts outlive the process.
      let again = try ObjectStore(root: root, durably: false)
      let upload = try again.upload("photos", "d/big", begun.id)
      #expect(upload.checksum == checksum && upload.attributes == attributes)
      try put(Self.large, 1, again, upload)
      let parts = try again.parts("photos", upload)
      #expect(parts.map(\.number) == [1, 3])
      #expect(try again.uploads("photos").map(\.id) == [begun.id])
      let info = try again.completeUpload("photos", upload, claims(parts))
      let whole = Self.large + [3, 3]
      let digests = Digest.of(Self.large, .md5) + Digest.of([3, 3], .md5)
      #expect(info.etag == hexText(Digest.of(digests, .md5)) + "-2")
      #expect(info.attributes == attributes)
      #expect(try info.partCount == 2 && info.range(ofPart: 2) == Self.large.count..<Self.large.count + 2)
      #expect(try again.bytes("photos", "d/big") == whole)
      #expect(try again.uploads("photos").isEmpty)
      #expect(info.checksum?.partCount == (checksum == nil || checksum == .crc64nvme ? nil : 2))
      if checksum == .crc64nvme {
        var state = ChecksumState(.crc64nvme)
        state.update(whole.span)
        #expect(info.checksum == state.checksum)
      }
      #expect(try ObjectStore(root: root, durably: false).info("photos", "d/big") == info)
    }
  }

  @Test("parts are found by their number, and a record whose parts are not the whole is none")
  func ranges() throws {
    let runs = PartRun.runs([5, 5, 5, 3, 4])
    #expect(runs.map(\.count) == [3, 1, 1])
    #expect(PartRun.runs(Array(0..<257)).isEmpty)
    let identity = FileIdentity(inode: 1, byteCount: 22, modifiedNanoseconds: 1)
    let record = ObjectRecord(
      key: "k", identity: identity, etag: "e-5", attributes: ObjectAttributes(), checksum: nil, parts: runs)
    let info = try #require(ObjectRecord(Array(record.text.utf8))).info()
    #expect(info.parts == runs && info.partCount == 5)
    let found = try (0...6).map { try info.range(ofPart: $0) }
    #expect(found == [nil, 0..<5, 5..<10, 10..<15, 15..<18, 18..<22, nil])
    #expect(try info.range(ofPart: .max) == nil)
    for wrong in [
      "3x5", "3x5 1x3 1x5", "3x5 1x3 1x4 0x1", "3x5 1x7 1x-0 1", "x", "9223372036854775807x2", "-1x-22",
    ] {
      let text = record.text.replacing("3x5 1x3 1x4", with: wrong)
      #expect(ObjectRecord(Array(text.utf8)) == nil, "\(wrong)")
    }
    // Written before sizes were kept.
    let old = ObjectRecord(
      key: "k", identity: identity, etag: "e-5", attributes: ObjectAttributes(), checksum: nil)
    #expect(code { _ = try old.info().range(ofPart: 1) } == .notImplemented)
  }

  @Test("what is wrong with the list of parts has S3's code, and the upload stays")
  func faults() throws {
    try withStore { store, _ in
      let upload = try store.beginUpload("photos", "k")
      let (first, second) = (try put([1], 1, store, upload), try put([2], 2, store, upload))
      func complete(_ claims: [PartClaim]) -> ObjectError.Code? {
        code { _ = try store.completeUpload("photos", upload, claims) }
      }
      #expect(complete([]) == .malformedXML)
      #expect(complete(claims([second, first])) == .invalidPartOrder)
      #expect(complete(claims([first, first])) == .invalidPartOrder)
      #expect(complete(claims([first, second])) == .entityTooSmall)
      #expect(complete([PartClaim(number: 1, etag: "0")]) == .invalidPart)
      #expect(complete([PartClaim(number: 7, etag: first.etag)]) == .invalidPart)
      #expect(code { try put([1], 0, store, upload) } == .invalidArgument)
      #expect(code { try put([1], 10_001, store, upload) } == .invalidArgument)
      #expect(complete(claims([second])) == nil)
      #expect(complete(claims([second])) == .noSuchUpload)
    }
  }

  @Test(
    "an aborted upload is gone, and an id that is none is none",
    arguments: ["", "..", "../../photos", "zz", String(repeating: "0", count: 32)])
  func abort(_ id: String) throws {
    try withStore { store, root in
      let upload = try store.beginUpload("photos", "k")
      try put([1], 1, store, upload)
      #expect(code { _ = try store.upload("photos", "k", id) } == .noSuchUpload)
      #expect(code { _ = try store.upload("photos", "other", upload.id) } == .noSuchUpload)
      store.abortUpload("photos", upload)
      #expect(code { _ = try store.parts("photos", upload) } == .noSuchUpload)
      #expect(code { try put([1], 1, store, upload) } == .noSuchUpload)
      #expect(scratchNames(root + "/.imrec/uploads/photos").isEmpty)
      #expect(scratchNames(root + "/.imrec/staging").isEmpty)
    }
  }

  @Test("of an upload that a killed process had half made or half removed nothing is left")
  func halves() throws {
    try withStore { store, root in
      let upload = try store.beginUpload("photos", "k")
      let part = try put([1], 1, store, upload)
      writeScratchFile(
        root + "/.imrec/uploads/photos/\(String(repeating: "a", count: 32))/about.partial", [1])
      writeScratchFile(root + "/.imrec/staging/\(String(repeating: "b", count: 32))/00001-x", [1])
      _ = try store.completeUpload("photos", upload, claims([part]))
      #expect(code { _ = try store.upload("photos", "k", upload.id) } == .noSuchUpload)
      let again = try ObjectStore(root: root, durably: false)
      #expect(try again.uploads("photos").isEmpty)
      #expect(scratchNames(root + "/.imrec/uploads/photos").isEmpty)
      #expect(scratchNames(root + "/.imrec/staging").isEmpty)
    }
  }

  @Test(
    "checksums are the published ones of \"123456789\"",
    arguments: [
      (ChecksumAlgorithm.crc32, "cbf43926"), (.crc32c, "e3069283"), (.crc64nvme, "ae8b14860a799888"),
    ])
  func published(_ algorithm: ChecksumAlgorithm, _ digits: String) {
    var state = ChecksumState(algorithm)
    state.update(Array("123456789".utf8).span)
    #expect(hexText(state.checksum.bytes) == digits)
  }

  @Test("the checksum of a whole comes from its parts, wherever it is cut")
  func joining() throws {
    var generator = SplitMix64(seed: 5)
    for algorithm in [ChecksumAlgorithm.crc32, .crc32c, .crc64nvme] {
      for count in [1, 7, 8, 9, 100, 1000] {
        let bytes = generator.bytes(count)
        func sum(_ bytes: ArraySlice<UInt8>) -> Checksum {
          var state = ChecksumState(algorithm)
          state.update(Array(bytes).span)
          return state.checksum
        }
        for cut in [0, 1, count / 2, count - 1, count] {
          let joined = Checksum.joined(
            [(sum(bytes[..<cut]), cut), (sum(bytes[cut...]), count - cut)], algorithm, composite: false)
          #expect(joined == sum(bytes[...]))
        }
      }
    }
  }

  @Test("base64 round-trips", arguments: ["", "f", "fo", "foo", "foob", "fooba", "foobar"])
  func base64(_ text: String) {
    let bytes = Array(text.utf8)
    #expect(base64Text(bytes) == Data(bytes).base64EncodedString())
    #expect(base64Bytes(base64Text(bytes)) == bytes)
    for bad in ["a", "ab=c", "a===", "!!!!", "ab", "ab==cd==", "===="] { #expect(base64Bytes(bad) == nil) }
  }
}
