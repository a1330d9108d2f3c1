import Foundation
import S3
import Synchronization

// What S3's clients send: XML, places, keys.

private func xml(_ element: XMLElement) -> String {
  // A prefix: what is left of a name may be no beginning of one.
  "<p:\(element.name)>\(xmlText(element.text))\(element.children.map(xml).joined())</p:\(element.name)>"
}

private func isSame(_ left: XMLElement, _ right: XMLElement) -> Bool {
  left.name.utf8.elementsEqual(right.name.utf8) && left.text.utf8.elementsEqual(right.text.utf8)
    && left.children.count == right.children.count && zip(left.children, right.children).allSatisfy(isSame)
}

private func depth(of element: XMLElement) -> Int { 1 + (element.children.map(depth).max() ?? 0) }

let documents = FuzzTarget(
  "xml",
  words: [
    "<?xml version=\"1.0\"?>", "<!--", "-->", "<![CDATA[", "]]>", "<!DOCTYPE", "&amp;", "&#x41;", "&#65;",
    "&#+5;", "&lt",
    "</", "/>", "xmlns=\"", "<a>", "</a>", "<a:", [0xef, 0xbb, 0xbf],
  ],
  seeds: {
    [
      #"<?xml version="1.0" encoding="UTF-8"?>"# + "\n"
        + #"<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><PartNumber>1</PartNumber>"#
        + #"<ETag>"a54357aff0632cce46d942af68356b38"</ETag></Part></CompleteMultipartUpload>"#,
      "<Delete><Quiet>true</Quiet><Object><Key>a &amp; b&#x0A;&#233;</Key></Object><!-- x --><Object/></Delete>",
      "<a><![CDATA[<b>]]>&lt;c&gt;<x:d y='>'/><?e f?></a >", String(repeating: "<a>", count: 16) + "x",
    ].map { Array($0.utf8) }
  },
  check: { input, _ in
    let element: XMLElement
    do throws(ObjectError) { element = try XMLElement(input) } catch { return try requireSentence(error) }
    try require(depth(of: element) <= 16, "elements lie no deeper than is allowed")
    try require((try? XMLElement(Array("<!DOCTYPE a>".utf8) + input)) == nil, "a document type is refused")
    let text = xml(element)
    let again = try require("XML that is written is read") { try XMLElement(Array(text.utf8)) }
    try require(isSame(again, element), "XML that is written is read to the same")
    for count in [input.count - 1, input.count / 2] where count > 0 {
      if let cut = try? XMLElement(Array(input.prefix(count))) {
        try require(isSame(cut, element), "half a document is no other document")
      }
    }
  })

let places = FuzzTarget(
  "location",
  words: [
    "s3://", "https://", "file://", "localhost", ".s3.", "s3.", "s3-", "us-east-1", ".amazonaws.com", "/",
    "%2F", "%00",
    "%C3%A9", "%", "..", [0xcc, 0x81], [0],
  ],
  seeds: {
    [
      "s3://bucket/a/b c%20.jpg", "s3://bucket", "https://bucket.s3.us-east-1.amazonaws.com/a%2Fb?x",
      "https://s3.eu-west-1.amazonaws.com/bucket/key", "http://a.b.s3.amazonaws.com/", "file:///tmp/a%20b",
      "file://localhost/x", "https://bucket.s3-us-west-2.amazonaws.com.cn/k",
    ].map { Array($0.utf8) }
  },
  check: { input, _ in
    guard let text = String(validating: input, as: UTF8.self), let place = S3Location(text) else { return }
    let spelled = place.description
    try require(!spelled.utf8.contains(0), "no place has a NUL in it")
    let again = try require("a place that is written is read: \(spelled.debugDescription)") {
      S3Location(spelled)
    }
    try require(
      again.description.utf8.elementsEqual(spelled.utf8), "a place that is written is read to the same")
    try require(
      place.bucket.utf8.elementsEqual(again.bucket.utf8) && place.key.utf8.elementsEqual(again.key.utf8),
      "a place has the same bucket and key when it is read again")
    try require(
      !place.bucket.isEmpty && !place.bucket.utf8.contains(UInt8(ascii: "/")), "a bucket is one name")
    let below = place.appending("x").description
    try require(
      below.utf8.starts(with: spelled.utf8) && below.utf8.last == UInt8(ascii: "x"),
      "a place below begins with the one above"
    )
  })

// MARK: Keys

/// One store for all inputs of a process, with an empty bucket.
private let stores = Mutex<[String: ObjectStore]>([:])

private func openStore(in folder: String) throws -> ObjectStore {
  if let store = stores.withLock({ $0[folder] }) { return store }
  let store = try ObjectStore(root: folder + "/store", durably: false)
  try store.makeBucket("bucket")
  stores.withLock { $0[folder] = store }
  return store
}

private func names(in folder: String) -> [String] {
  ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
}

/// Keys, one a line.
let keys = FuzzTarget(
  "key", replayCount: 100,
  words: [
    "/", "//", "../", "/..", "./", ".", ".imrec/", [0], [0xcc, 0x81], [0xc3, 0xa9], "e", "\\", "%2e%2e/",
    .init(repeating: "a", count: 255), .init(repeating: "b/", count: 500),
  ],
  seeds: {
    [
      "a", "a/b\na/c\na", "x/\nx/y", "../bucket2/x", "/a", "e\u{301}\n\u{e9}", ".imrec/objects/a\n...",
      "a/../../b",
    ]
    .map { Array($0.utf8) }
  },
  check: { input, scratch in
    do {
      try check(input, openStore(in: scratch.folder), scratch)
    } catch {
      // What is left of it would break the promises to the next input.
      stores.withLock { $0[scratch.folder] = nil }
      try? FileManager.default.removeItem(atPath: scratch.folder + "/store")
      throw error
    }
  })

private func check(_ input: [UInt8], _ store: ObjectStore, _ scratch: Scratch) throws {
  let keys = input.split(separator: UInt8(ascii: "\n"), maxSplits: 5).compactMap {
    String(validating: $0, as: UTF8.self)
  }
  var kept: [[UInt8]: [UInt8]] = [:]
  for (number, key) in keys.enumerated() {
    let bytes = [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: key.utf8.count)]
    let content = key.utf8.last == UInt8(ascii: "/") ? [] : bytes
    do throws(ObjectError) {
      let info = try store.put(content, as: "bucket", key)
      kept[Array(key.utf8)] = content
      if info.key.utf8.elementsEqual(key.utf8), info.byteCount == content.count { continue }
    } catch {
      try requireSentence(error)
      try require(
        [.invalidArgument, .keyTooLong, .invalidRequest].contains(error.code),
        "a key is refused for what it is")
      continue
    }
    throw BrokenPromise(description: "an object is described as it was put")
  }
  let listed = try store.list("bucket", ListingQuery(maximumCount: 100)).objects.map { Array($0.key.utf8) }
  try require(
    listed.sorted { $0.lexicographicallyPrecedes($1) } == listed, "a listing is in the order of bytes")
  try require(
    Set(listed) == Set(kept.keys) && listed.count == kept.count, "what was put is listed, and nothing else")
  for (key, content) in kept {
    let text = String(decoding: key, as: UTF8.self)
    let reader = try require("what was put is there") { try store.open("bucket", text) }
    var bytes = [UInt8](repeating: 0, count: reader.info.byteCount)
    var byteCount = 0
    do {
      var span = bytes.mutableSpan
      var raw = span.mutableBytes
      byteCount = try reader.read(at: 0, into: &raw)
    }
    try require(byteCount == content.count && bytes == content, "an object has its bytes")
  }
  for key in kept.keys { try store.delete("bucket", String(decoding: key, as: UTF8.self)) }
  try require(
    names(in: scratch.folder + "/store/bucket").isEmpty, "what was put lay in its bucket's folder")
  try require(
    names(in: scratch.folder + "/store") == [".imrec", "bucket"], "no key leaves its bucket's folder")
  try require(
    names(in: scratch.folder).allSatisfy { $0 == "store" || $0 == "input" }, "no key leaves the store")
}

extension FuzzTarget.Word {
  fileprivate init(repeating text: String, count: Int) {
    self.init(stringLiteral: String(repeating: text, count: count))
  }
}
