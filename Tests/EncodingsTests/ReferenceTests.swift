import Encodings
import Testing

@Suite("References of manifests")
struct ReferenceTests {
  @Test(
    "a path stays as it is, and a file URL loses its escapes",
    arguments: [
      ("a/1.jpg", "a/1.jpg"), ("/a/100%.jpg", "/a/100%.jpg"), ("file:///a/1.jpg", "/a/1.jpg"),
      ("FILE:///a%20b/%c3%A9.jpg", "/a b/é.jpg"), ("file:///a+b", "/a+b"),
    ])
  func path(_ reference: String, _ path: String) throws {
    #expect(try localPath(ofReference: reference) == path)
  }

  @Test(
    "what names no file here is refused",
    arguments: [
      ("s3://bucket/key", ReferenceFault.scheme("s3")), ("HTTP://host/", .scheme("http")),
      ("file://a/1.jpg", .malformed), ("file:///a%2", .malformed), ("file:///a%zz", .malformed),
      ("file:///a%+1", .malformed), ("file:///a%00", .malformed), ("file:///%ff", .malformed),
      ("a\0b", .malformed),
    ])
  func refused(_ reference: String, _ fault: ReferenceFault) {
    #expect(throws: fault) { try localPath(ofReference: reference) }
  }
}
