import Glibc
import TestSupport
import Testing

@testable import S3

@Suite("Locations")
struct LocationTests {
  @Test(
    "the forms of S3's locations are understood",
    arguments: [
      ("s3://b/k/x y.jpg", S3Location.object(bucket: "b", key: "k/x y.jpg")),
      ("s3://b", .object(bucket: "b", key: "")),
      ("S3://b/%41//", .object(bucket: "b", key: "%41//")),
      ("https://s3.eu-central-1.amazonaws.com/b/k%20x", .object(bucket: "b", key: "k x")),
      ("https://s3.amazonaws.com/b", .object(bucket: "b", key: "")),
      ("https://my.bucket.s3.us-west-2.amazonaws.com/k/l", .object(bucket: "my.bucket", key: "k/l")),
      ("https://b.s3.amazonaws.com/", .object(bucket: "b", key: "")),
      ("https://s3-us-west-2.amazonaws.com/b/k", .object(bucket: "b", key: "k")),
      ("file:///data/a%20b", .file(path: "/data/a b")),
    ])
  func understood(_ text: String, _ location: S3Location) { #expect(S3Location(text) == location) }

  @Test("locations are their bytes, as keys and paths are")
  func bytes() {
    let (one, two) = (S3Location("s3://b/\u{e9}"), S3Location("s3://b/e\u{301}"))
    #expect(one != two && Set([one, two]).count == 2)
    // An accent on the slash makes one character of both for Swift, and is a part of the key.
    #expect(S3Location("s3://b/\u{301}x") == .object(bucket: "b", key: "\u{301}x"))
    #expect(S3Location.file(path: "/\u{e9}") != .file(path: "/e\u{301}"))
  }

  @Test(
    "what is none is none",
    arguments: [
      "", "s3:", "s3://", "s3:///k", "/data", "ftp://b/k", "https://example.com/b/k", "file://host/x",
      "file:///%zz", "https://s3.amazonaws.com/", "s3://b/\u{0}", "file:///data/a%00.jpg",
      "https://s3.amazonaws.com/b/a%00",
    ])
  func none(_ text: String) { #expect(S3Location(text) == nil) }

  @Test("a location goes through its text, and names are added with one slash")
  func text() {
    for location in [S3Location.object(bucket: "b", key: "a/b c"), .file(path: "/a/b c%")] {
      #expect(S3Location(location.description) == location)
      #expect(location.appending("x") == location.appending("").appending("x"))
    }
    #expect(S3Location.object(bucket: "b", key: "").appending("x").description == "s3://b/x")
  }

  @Test("jobs read and write a store and plain files alike")
  func jobs() async throws {
    try await withScratchFolder { root in
      let store = try ObjectStore(root: root + "/s3", durably: false)
      try store.makeBucket("photos")
      let objects = LocalObjects(store)
      writeScratchFile(root + "/in", (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0) })
      let places = [
        S3Location.object(bucket: "photos", key: "out/a"), .object(bucket: "photos", key: "out_b"),
        .file(path: root + "/files/out/c"),
      ]
      for place in places {
        #expect(try await !objects.exists(place))
        try await objects.upload(root + "/in", to: place)
        #expect(try await objects.exists(place))
        try await objects.download(place, to: root + "/back")
        #expect(readScratchBytes(root + "/back") == readScratchBytes(root + "/in"))
      }
      try await objects.put([1, 2], to: .file(path: root + "/files/new/d"))
      #expect(
        try await listed(objects, .object(bucket: "photos", key: "out")) == [
          "s3://photos/out/a", "s3://photos/out_b",
        ])
      await #expect(throws: (any Error).self) {
        try await objects.download(places[0].appending("no"), to: root + "/x")
      }
      await #expect(throws: (any Error).self) {
        _ = try await listed(objects, .file(path: root + "/nowhere"))
      }
      #expect(scratchNames(root).contains("x") == false)
    }
  }

  @Test("files below a folder are listed as objects are")
  func files() async throws {
    try await withScratchFolder { root in
      let objects = LocalObjects(try ObjectStore(root: root + "/s3", durably: false))
      for name in ["b", "a/c", "a/d/e"] { writeScratchFile("\(root)/in/\(name)", [1]) }
      let base = "file://\(root)/in"
      #expect(
        try await Set(listed(objects, .file(path: root + "/in"))) == [
          "\(base)/a/c", "\(base)/a/d/e", "\(base)/b",
        ])
      #expect(try await listed(objects, .file(path: root + "/in/b")) == ["\(base)/b"])
    }
  }

  private func listed(_ objects: some ObjectSource, _ place: S3Location) async throws -> [String] {
    var found: [String] = []
    try await objects.list(place) { found += $0.map(\.location.description) }
    return found
  }
}
