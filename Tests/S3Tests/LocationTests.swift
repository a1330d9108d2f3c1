import Glibc
import TestSupport
import Testing

@testable import S3

@Suite("Locations")
struct LocationTests {
  @Test(
    "the forms of S3's locations are understood",
    arguments: [
      ("s3://b/k/x y.jpg", S3Location(bucket: "b", key: "k/x y.jpg")),
      ("s3://b", S3Location(bucket: "b", key: "")),
      ("S3://b/%41//", S3Location(bucket: "b", key: "%41//")),
      ("https://s3.eu-central-1.amazonaws.com/b/k%20x", S3Location(bucket: "b", key: "k x")),
      ("https://s3.amazonaws.com/b", S3Location(bucket: "b", key: "")),
      ("https://my.bucket.s3.us-west-2.amazonaws.com/k/l", S3Location(bucket: "my.bucket", key: "k/l")),
      ("https://b.s3.amazonaws.com/", S3Location(bucket: "b", key: "")),
      ("https://s3-us-west-2.amazonaws.com/b/k", S3Location(bucket: "b", key: "k")),
    ])
  func understood(_ text: String, _ location: S3Location) { #expect(S3Location(text) == location) }

  @Test("locations are their bytes, as keys and paths are")
  func bytes() {
    let (one, two) = (S3Location("s3://b/\u{e9}"), S3Location("s3://b/e\u{301}"))
    #expect(one != two && Set([one, two]).count == 2)
    // An accent on the slash makes one character of both for Swift, and is a part of the key.
    #expect(S3Location("s3://b/\u{301}x") == S3Location(bucket: "b", key: "\u{301}x"))
  }

  @Test(
    "an invalid location is rejected",
    arguments: [
      "", "s3:", "s3://", "s3:///k", "/data", "ftp://b/k", "https://example.com/b/k", "file:///data/a",
      "https://s3.amazonaws.com/", "s3://b/\u{0}", "https://s3.amazonaws.com/b/%zz",
      "https://s3.amazonaws.com/b/a%00",
    ])
  func none(_ text: String) { #expect(S3Location(text) == nil) }

  @Test("a location goes through its text, and names are added with one slash")
  func text() {
    let location = S3Location(bucket: "b", key: "a/b c%")
    #expect(S3Location(location.description) == location)
    #expect(location.appending("x") == location.appending("").appending("x"))
    #expect(S3Location(bucket: "b", key: "").appending("x").description == "s3://b/x")
  }

  @Test("jobs read and write a store")
  func jobs() async throws {
    try await withScratchFolder { root in
      let store = try ObjectStore(root: root + "/s3", durably: false)
      try store.makeBucket("photos")
      let objects = LocalObjects(store)
      writeScratchFile(root + "/in", (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0) })
      let places = ["out/a", "out_b"].map { S3Location(bucket: "photos", key: $0) }
      for place in places {
        #expect(try await objects.etag(of: place) == nil)
        try await objects.upload(root + "/in", to: place)
        #expect(try await objects.etag(of: place) != nil)
        try await objects.download(place, to: root + "/back")
        #expect(readScratchBytes(root + "/back") == readScratchBytes(root + "/in"))
      }
      let prefix = S3Location(bucket: "photos", key: "out")
      #expect(try await objects.list(prefix) == places)
      #expect(try await objects.list(prefix, most: 1) == [places[0]])
      // A prefix is no object.
      #expect(try await objects.etag(of: prefix) == nil)
      await #expect(throws: ObjectError.self) {
        try await objects.download(places[0].appending("no"), to: root + "/x")
      }
      #expect(scratchNames(root).contains("x") == false)
    }
  }
}
