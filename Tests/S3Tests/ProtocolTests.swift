import Encodings
import Glibc
import ServiceTestSupport
import TestSupport
import Testing

@testable import S3

@Suite("S3")
struct S3Tests {
  private func code(_ reply: HTTPConnection.Reply?) -> String {
    let text = reply?.text ?? ""
    return text.split(separator: "<Code>").dropFirst().first?.split(separator: "<").first.map { String($0) }
      ?? ""
  }

  @Test("an object is put, told of, sent whole and in ranges, and deleted")
  func roundTrip() async throws {
    try await withS3 { port, root, _ in
      let put = try #require(
        try await ask(
          port, "PUT", "/photos/a%20b/%C3%A9", ["x-amz-meta-k": "v", "content-type": "x/y"],
          body: Array("0123456789".utf8)))
      #expect(put.status == 200 && put.headers["etag"] == "\"781e5e245d69b566979b86e28d23f2c7\"")
      #expect(put.headers["x-amz-request-id"]?.utf8.count == 16 && put.headers["x-amz-id-2"] != nil)
      #expect(readScratchFile(root + "/photos/a b/\u{e9}") == "0123456789")
      let whole = try #require(try await ask(port, "GET", "/photos/a%20b/%C3%A9"))
      #expect(
        whole.text == "0123456789" && whole.headers["content-type"] == "x/y"
          && whole.headers["x-amz-meta-k"] == "v")
      for (range, part) in [
        ("bytes=2-4", "234"), ("bytes=8-", "89"), ("bytes=-3", "789"), ("bytes=5-99", "56789"),
      ] {
        let reply = try #require(try await ask(port, "GET", "/photos/a%20b/%C3%A9", ["range": range]))
        #expect(reply.status == 206 && reply.text == part)
      }
      for range in ["bytes=", "bytes=3-2", "bytes=a-b", "lines=1-2", "bytes=1-2,4-5"] {
        #expect(try await ask(port, "GET", "/photos/a%20b/%C3%A9", ["range": range])?.status == 200)
      }
      for range in ["bytes=10-", "bytes=99-100", "bytes=-0"] {
        let reply = try #require(try await ask(port, "GET", "/photos/a%20b/%C3%A9", ["range": range]))
        #expect(
          reply.status == 416 && reply.headers["content-range"] == "bytes */10"
            && code(reply) == "InvalidRange")
      }
      #expect(try await ask(port, "DELETE", "/photos/a%20b/%C3%A9")?.status == 204)
      #expect(try await code(ask(port, "GET", "/photos/a%20b/%C3%A9")) == "NoSuchKey")
    }
  }

  @Test("HEAD has the headers of GET and no body, also where it is an error")
  func head() async throws {
    try await withS3 { port, _, store in
      try store.put(Array("hello".utf8), as: "photos", "k")
      let found = try await onThread { () -> [HTTPConnection.Reply?] in
        let connection = HTTPConnection(port: port)
        connection?.send("HEAD", "/photos/none")
        // No body follows the head, or the next reply would not be one.
        let missing = connection?.reply()
        connection?.send("GET", "/photos/k")
        return [missing, connection?.reply()]
      }
      #expect(found[0]?.status == 404)
      #expect(found[1]?.status == 200 && found[1]?.text == "hello")
      #expect(
        try await ask(port, "GET", "/photos/k", ["if-none-match": "\"5d41402abc4b2a76b9719d911017c592\""])?
          .status == 304)
      #expect(try await ask(port, "GET", "/photos/k", ["if-match": "\"x\""])?.status == 412)
    }
  }

  @Test("Expect: 100-continue is answered")
  func expectation() async throws {
    try await withS3 { port, _, store in
      let statuses = try await onThread { () -> [Int?] in
        let connection = HTTPConnection(port: port)
        connection?.send(
          Array("PUT /photos/k HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n".utf8)
        )
        let first = connection?.reply()?.status
        connection?.send(Array("ab".utf8))
        return [first, connection?.reply()?.status]
      }
      #expect(statuses == [100, 200])
      #expect(try store.info("photos", "k").byteCount == 2)
    }
  }

  @Test(
    "an error has S3's status and code, and leaves nothing behind",
    arguments: [
      (
        "PUT", "/photos/k", ["x-amz-content-sha256": String(repeating: "0", count: 64)], 400,
        "XAmzContentSHA256Mismatch"
      ),
      ("PUT", "/photos/k", ["content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="], 400, "BadDigest"),
      ("PUT", "/photos/k", ["content-md5": "?"], 400, "InvalidDigest"),
      ("PUT", "/photos/k", ["x-amz-checksum-crc32": "AAAAAA=="], 400, "BadDigest"),
      ("PUT", "/photos/k", ["x-amz-checksum-crc32": "no"], 400, "InvalidRequest"),
      ("PUT", "/photos/k", ["x-amz-content-sha256": "words"], 400, "InvalidRequest"),
      ("PUT", "/photos/k", ["x-amz-tagging": "a=b"], 501, "NotImplemented"),
      ("PUT", "/photos/k", ["x-amz-copy-source": "nothing"], 400, "InvalidArgument"),
      ("PUT", "/photos/k?uploadId=0&partNumber=1", [:], 404, "NoSuchUpload"),
      ("PUT", "/photos/k?uploadId=0&partNumber=x", [:], 400, "InvalidArgument"),
      ("PUT", "/photos/a//b", [:], 400, "InvalidArgument"),
      ("PUT", "/photos/%2e%2e/x", [:], 400, "InvalidArgument"),
      ("PUT", "/photos/%00", [:], 400, "InvalidArgument"), ("PUT", "/photos/%ff", [:], 400, "InvalidURI"),
      ("PUT", "/photos/%", [:], 400, "InvalidURI"), ("PUT", "/nobody/k", [:], 404, "NoSuchBucket"),
      ("PUT", "/UPPER", [:], 400, "MalformedXML"), ("PUT", "/photos/k?acl", [:], 501, "NotImplemented"),
      ("POST", "/photos?delete", [:], 400, "MalformedXML"),
      ("POST", "/photos/k?uploadId=0", [:], 404, "NoSuchUpload"),
      ("PATCH", "/photos/k", [:], 405, "MethodNotAllowed"), ("POST", "/", [:], 405, "MethodNotAllowed"),
    ])
  func faults(_ method: String, _ path: String, _ headers: [String: String], _ status: Int, _ name: String)
    async throws
  {
    try await withS3 { port, root, _ in
      let reply = try await ask(port, method, path, headers, body: Array("hello".utf8))
      #expect(reply?.status == status && code(reply) == name, "\(reply?.description ?? "")")
      #expect(scratchNames(root + "/photos").isEmpty)
      #expect(scratchNames(root + "/.imrec/staging").isEmpty)
      #expect(scratchNames(root) == [".imrec", "photos"])
    }
  }

  @Test("a condition of a deletion is kept: an object that is another one stays")
  func conditionalDeletes() async throws {
    try await withS3 { port, _, store in
      let etag = try store.put(Array("1".utf8), as: "photos", "z").etag
      func delete(_ list: String) async throws -> String {
        try await ask(port, "POST", "/photos?delete", body: Array("<Delete>\(list)</Delete>".utf8))?.text
          ?? ""
      }
      for (condition, status, name) in [
        ("\"bad\"", 412, "PreconditionFailed"), ("bad", 412, "PreconditionFailed"),
      ] {
        let reply = try await ask(port, "DELETE", "/photos/z", ["If-Match": condition])
        #expect(reply?.status == status && code(reply) == name)
        let many = try await delete("<Object><Key>z</Key><ETag>\(condition)</ETag></Object>")
        #expect(many.contains("<Error><Key>z</Key><Code>\(name)</Code>"), "\(many)")
      }
      for condition in ["Size>1</Size", "LastModifiedTime>Sun, 30 Aug 2015 12:36:00 GMT</LastModifiedTime"] {
        let many = try await delete("<Object><Key>z</Key><\(condition)></Object>")
        #expect(many.contains("<Code>NotImplemented</Code>"), "\(many)")
      }
      #expect(try store.info("photos", "z").byteCount == 1)
      let missing = try await ask(port, "DELETE", "/photos/none", ["If-Match": "*"])
      #expect(missing?.status == 404 && code(missing) == "NoSuchKey")
      #expect(try await ask(port, "DELETE", "/photos/z", ["If-Match": "\"\(etag)\""])?.status == 204)
      try store.put(Array("1".utf8), as: "photos", "z")
      let many = try await delete(
        "<Object><Key>z</Key><ETag>\(etag)</ETag></Object><Object><Key>none</Key></Object>")
      #expect(many.contains("<Deleted><Key>z</Key>") && many.contains("<Deleted><Key>none</Key>"), "\(many)")
      #expect(throws: ObjectError.self) { try store.info("photos", "z") }
    }
  }

  @Test(
    "a header that an operation cannot honour is refused by name",
    arguments: [
      ("DELETE", "/photos/k", "x-amz-if-match-size"),
      ("DELETE", "/photos/k", "x-amz-if-match-last-modified-time"),
      ("DELETE", "/photos/k", "if-none-match"), ("DELETE", "/photos/k", "if-unmodified-since"),
      ("DELETE", "/photos/k", "x-amz-mfa"), ("DELETE", "/photos/k", "x-amz-bypass-governance-retention"),
      ("DELETE", "/photos", "if-match"), ("DELETE", "/photos/k?uploadId=0", "x-amz-if-match-initiated-time"),
      ("GET", "/photos", "if-match"), ("GET", "/photos?list-type=2", "if-none-match"),
      ("GET", "/photos/k?uploadId=0", "x-amz-server-side-encryption-customer-key"),
      ("GET", "/photos/k", "x-amz-server-side-encryption-customer-algorithm"),
      ("GET", "/photos/k", "x-amz-checksum-crc32"), ("HEAD", "/photos/k", "content-md5"),
      ("PUT", "/photos/k", "if-unmodified-since"), ("PUT", "/photos/k", "x-amz-write-offset-bytes"),
      ("PUT", "/photos/k", "x-amz-checksum-md5"), ("PUT", "/photos/k", "x-amz-object-lock-retain-until-date"),
      ("PUT", "/photos/k", "x-amz-server-side-encryption-customer-key-md5"),
      ("PUT", "/other", "x-amz-bucket-object-lock-enabled"),
      ("POST", "/photos/k?uploads", "if-none-match"), ("POST", "/photos/k?uploads", "x-amz-object-lock-mode"),
      ("PUT", "/photos/k?uploadId=0&partNumber=1", "if-match"),
      ("POST", "/photos/k?uploadId=0", "if-modified-since"),
      ("POST", "/photos?delete", "if-match"), ("HEAD", "/photos", "if-match"),
    ])
  func promises(_ method: String, _ path: String, _ name: String) async throws {
    try await withS3 { port, _, store in
      try store.put(Array("hello".utf8), as: "photos", "k")
      let reply = try await ask(port, method, path, [name: "1"])
      #expect(reply?.status == 501)
      if method != "HEAD" {
        #expect(
          code(reply) == "NotImplemented" && reply?.text.contains(": \(name)<") == true,
          "\(reply?.text ?? "")")
      }
      #expect(try store.info("photos", "k").byteCount == 5)
    }
  }

  @Test("a copy and its condition that cannot be read are refused, and the owner is the one that is expected")
  func otherPromises() async throws {
    try await withS3 { port, _, store in
      try store.put(Array("hello".utf8), as: "photos", "k")
      let copy = ["x-amz-copy-source": "photos/k"]
      for (more, status, name) in [
        (["x-amz-checksum-algorithm": "SHA256"], 501, "NotImplemented"),
        (["x-amz-copy-source-server-side-encryption-customer-key": "1"], 501, "NotImplemented"),
        (["x-amz-copy-source-range": "bytes=0-1"], 501, "NotImplemented"),
        (["x-amz-copy-source-if-unmodified-since": "yesterday"], 400, "InvalidArgument"),
        (["x-amz-copy-source-if-match": "\"other\""], 412, "PreconditionFailed"),
        (["x-amz-source-expected-bucket-owner": "210987654321"], 403, "AccessDenied"),
      ] {
        let reply = try await ask(port, "PUT", "/photos/copy", copy.merging(more) { $1 })
        #expect(reply?.status == status && code(reply) == name, "\(more)")
      }
      #expect(throws: ObjectError.self) { try store.info("photos", "copy") }
      let owner = "x-amz-expected-bucket-owner"
      #expect(try await ask(port, "DELETE", "/photos/k", [owner: "210987654321"])?.status == 403)
      #expect(try await ask(port, "GET", "/photos/k", [owner: "123456789012"])?.status == 200)
      // A range of an object that is another one by now would not go with what the client has.
      for (condition, status) in [
        ("\"5d41402abc4b2a76b9719d911017c592\"", 206), ("\"other\"", 200), ("x", 200),
      ] {
        let reply = try await ask(port, "GET", "/photos/k", ["range": "bytes=1-2", "if-range": condition])
        #expect(reply?.status == status, "\(condition)")
      }
    }
  }

  @Test("headers that stand in the query, as in presigned URLs, count as headers do")
  func headersInTheQuery() async throws {
    try await withS3 { port, _, store in
      let hello = Array("hello".utf8)
      for (query, headers, status, name) in [
        (
          "x-amz-checksum-crc32=NhCmhg%3D%3D&x-amz-sdk-checksum-algorithm=CRC32&X-Amz-Meta-Who=me", [:], 200,
          ""
        ),
        ("X-Amz-Checksum-Crc32=AAAAAA%3D%3D", [:], 400, "BadDigest"),
        ("x-amz-checksum-md5=AAAAAA%3D%3D", [:], 501, "NotImplemented"),
        ("x-amz-object-lock-mode=GOVERNANCE", [:], 501, "NotImplemented"),
        ("x-amz-checksum-crc32=NhCmhg%3D%3D", ["x-amz-checksum-crc32": "AAAAAA=="], 400, "InvalidRequest"),
        ("x-amz-expected-bucket-owner=210987654321", [:], 403, "AccessDenied"),
      ] as [(String, [String: String], Int, String)] {
        let reply = try await ask(port, "PUT", "/photos/k?\(query)", headers, body: hello)
        #expect(reply?.status == status && code(reply) == name, "\(query): \(reply?.text ?? "")")
      }
      #expect(try store.info("photos", "k").attributes.headers["x-amz-meta-who"] == "me")
    }
  }

  @Test("a digest of a body that does not come is refused")
  func digestOfNoBody() async throws {
    try await withS3 { port, _, store in
      try store.put(Array("hello".utf8), as: "photos", "k")
      let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
      let other = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
      for (digest, status) in [(empty, 200), ("UNSIGNED-PAYLOAD", 200), (other, 400), ("x", 400)] {
        let reply = try await ask(port, "GET", "/photos/k", ["x-amz-content-sha256": digest])
        #expect(reply?.status == status, "\(digest)")
      }
      #expect(try await ask(port, "DELETE", "/photos/k", ["x-amz-content-sha256": other])?.status == 400)
      #expect(try store.info("photos", "k").byteCount == 5)
    }
  }

  @Test("checksums that are promised and do not come, or come and were not promised, are refused")
  func promisedChecksums() async throws {
    let framing = [
      "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": "5",
    ]
    let good = "x-amz-checksum-crc32:NhCmhg==\r\n"
    try await withS3 { port, root, _ in
      for (headers, trailer, status, name) in [
        (["x-amz-trailer": "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm": "CRC32"], good, 200, ""),
        (["x-amz-trailer": "x-amz-checksum-crc32"], "", 400, "MalformedTrailerError"),
        ([:], good, 400, "MalformedTrailerError"),
        (["x-amz-trailer": "x-amz-checksum-sha256"], good, 400, "MalformedTrailerError"),
        (["x-amz-trailer": "x-amz-checksum-md5"], good, 501, "NotImplemented"),
        (["x-amz-trailer": "x-amz-checksum-crc32"], "x-amz-checksum-crc32:AAAAAA==\r\n", 400, "BadDigest"),
        (
          ["x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-trailer": "x-amz-checksum-crc32"], good, 400,
          "InvalidRequest"
        ),
      ] as [([String: String], String, Int, String)] {
        let body = Array("5\r\nhello\r\n0\r\n\(trailer)\r\n".utf8)
        let reply = try await ask(port, "PUT", "/photos/k", framing.merging(headers) { $1 }, body: body)
        #expect(reply?.status == status && code(reply) == name, "\(headers) \(trailer): \(reply?.text ?? "")")
      }
      let plain = try await ask(
        port, "PUT", "/photos/l", ["x-amz-sdk-checksum-algorithm": "CRC32"], body: Array("hello".utf8))
      #expect(code(plain) == "InvalidRequest")
      // The list of objects to delete has its checksum behind it, too.
      let list = Array("<Delete><Object><Key>k</Key></Object></Delete>".utf8)
      let size = String(list.count, radix: 16)
      let reply = try await ask(
        port, "POST", "/photos?delete",
        [
          "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
          "x-amz-trailer": "x-amz-checksum-crc32",
          "x-amz-decoded-content-length": "\(list.count)",
        ],
        body: Array("\(size)\r\n".utf8) + list + Array("\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n".utf8))
      #expect(code(reply) == "BadDigest")
      #expect(scratchNames(root + "/photos") == ["k"])
    }
  }

  @Test("what the end of an upload promises of the whole is compared with the parts")
  func wholes() async throws {
    try await withS3 { port, _, store in
      func upload(_ checksum: ChecksumAlgorithm?) throws -> (PartedUpload, ObjectPart) {
        let upload = try store.beginUpload("photos", "k", checksum: checksum)
        let staged = try store.stagePart(upload, checksum: .crc32)
        try staged.append(Array("hello".utf8).span)
        return (upload, try store.finishPart(staged, "photos", upload, number: 1))
      }
      for (checksum, headers, element, status, name) in [
        (nil, ["x-amz-checksum-crc32": "NhCmhg=="], "", 400, "InvalidRequest"),
        (nil, ["x-amz-mp-object-size": "6"], "", 400, "InvalidRequest"),
        (nil, ["content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="], "", 400, "BadDigest"),
        (nil, ["x-amz-checksum-type": "FULL_OBJECT"], "", 400, "InvalidRequest"),
        (nil, [:], "<ChecksumCRC32>AAAAAA==</ChecksumCRC32>", 400, "InvalidPart"),
        (nil, [:], "<ChecksumSHA1>AAAA</ChecksumSHA1>", 400, "InvalidPart"),
        (.crc32, ["x-amz-checksum-sha1": "2jmj7l5rSw0yVb/vlWAYkK/YBwk="], "", 400, "InvalidRequest"),
        (.crc32, ["x-amz-checksum-type": "FULL_OBJECT"], "", 400, "InvalidRequest"),
        (nil, ["x-amz-mp-object-size": "5"], "<ChecksumCRC32>NhCmhg==</ChecksumCRC32>", 200, ""),
        (.crc32, ["x-amz-checksum-type": "COMPOSITE"], "<ChecksumCRC32>NhCmhg==</ChecksumCRC32>", 200, ""),
      ] as [(ChecksumAlgorithm?, [String: String], String, Int, String)] {
        let (upload, part) = try upload(checksum)
        let list =
          "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\(part.etag)</ETag>\(element)</Part>"
          + "</CompleteMultipartUpload>"
        let reply = try await ask(
          port, "POST", "/photos/k?uploadId=\(upload.id)", headers, body: Array(list.utf8))
        #expect(reply?.status == status && code(reply) == name, "\(headers) \(element): \(reply?.text ?? "")")
        store.abortUpload("photos", upload)
      }
    }
  }

  @Test("a client that leaves in the middle of a body leaves nothing")
  func halfBody() async throws {
    try await withS3 { port, root, store in
      try store.put([1], as: "photos", "k")
      try await onThread {
        let connection = HTTPConnection(port: port)
        connection?.send(Array("PUT /photos/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n".utf8))
        connection?.send([UInt8](repeating: 0, count: 2_000_000))
        let end = ContinuousClock.now + .seconds(60)
        while scratchNames(root + "/.imrec/staging").isEmpty, .now < end { usleep(2000) }
      }
      // The server notices by itself, sooner or later on a busy machine.
      let end = ContinuousClock.now + .seconds(60)
      while !scratchNames(root + "/.imrec/staging").isEmpty, .now < end {
        try await Task.sleep(for: .milliseconds(10))
      }
      #expect(try await ask(port, "GET", "/photos/k")?.body == [1])
      #expect(scratchNames(root + "/.imrec/staging").isEmpty)
    }
  }

  @Test("signatures are checked where they must be, and tell whom they are of")
  func signatures() async throws {
    let credential = Credential(accessKey: "AKID", secretKey: "secret")
    try await withS3 {
      $0.requiresSignature = true
      $0.credentials = [credential]
    } _: { port, _, _ in
      let unsigned = try await ask(port, "GET", "/photos/k")
      #expect(unsigned?.status == 403 && code(unsigned) == "AccessDenied")
      let remote = try RemoteObjects(endpoint: "http://127.0.0.1:\(port)", credential: credential)
      let place = S3Location(bucket: "photos", key: "a b/\u{e9}+&=.txt")
      try await remote.put([1, 2, 3], to: place)
      #expect(try await remote.etag(of: place) != nil)
      let wrong = try RemoteObjects(
        endpoint: "http://127.0.0.1:\(port)", credential: Credential(accessKey: "AKID", secretKey: "other"))
      await #expect(throws: ObjectError.self) { try await wrong.put([1], to: place) }
    }
  }

  @Test("a presigned URL that has expired is refused also where signatures are not looked at")
  func expired() async throws {
    try await withS3 { port, _, store in
      try store.put([7], as: "photos", "k")
      let now = UTCTime.now.secondsSince1970
      for (seconds, status) in [(60, 200), (-1, 403)] {
        let target = "/photos/k?AWSAccessKeyId=any&Signature=AAAA&Expires=\(now + seconds)"
        let reply = try await ask(port, "GET", target)
        #expect(reply?.status == status && (status == 200 || code(reply) == "AccessDenied"))
      }
    }
  }

  @Test("an object is sent by the part it was put in")
  func partNumbers() async throws {
    try await withS3 { port, _, store in
      let upload = try store.beginUpload("photos", "k")
      let large = [UInt8](repeating: 1, count: ObjectStore.smallestPart)
      var claims: [PartClaim] = []
      for (number, bytes) in [(2, large), (5, large), (9, [2, 3])] {
        let staged = try store.stagePart(upload)
        try staged.append(bytes.span)
        let part = try store.finishPart(staged, "photos", upload, number: number)
        claims.append(PartClaim(number: number, etag: part.etag))
      }
      _ = try store.completeUpload("photos", upload, claims)
      try store.put([4, 5], as: "photos", "whole")
      try store.put([], as: "photos", "empty")
      let last = try #require(try await ask(port, "GET", "/photos/k?partNumber=3"))
      #expect(last.status == 206 && last.body == [2, 3] && last.headers["x-amz-mp-parts-count"] == "3")
      #expect(last.headers["content-range"] == "bytes 10485760-10485761/10485762")
      let whole = try #require(try await ask(port, "GET", "/photos/whole?partNumber=1"))
      #expect(whole.status == 206 && whole.body == [4, 5] && whole.headers["x-amz-mp-parts-count"] == nil)
      #expect(try await ask(port, "GET", "/photos/empty?partNumber=1")?.status == 200)
      let faults = [
        ("/photos/k?partNumber=4", [:], 416, "InvalidPartNumber"),
        ("/photos/whole?partNumber=2", [:], 416, "InvalidPartNumber"),
        ("/photos/k?partNumber=0", [:], 400, "InvalidArgument"),
        ("/photos/k?partNumber=x", [:], 400, "InvalidArgument"),
        ("/photos/k?partNumber=1", ["range": "bytes=0-1"], 400, "InvalidRequest"),
      ]
      for (path, headers, status, name) in faults {
        let reply = try await ask(port, "GET", path, headers)
        #expect(reply?.status == status && code(reply) == name, "\(path)")
      }
    }
  }

  @Test("uploads are listed a page at a time, each of them once")
  func uploadPages() async throws {
    try await withS3 { port, _, store in
      var expected: [String] = []
      for key in ["a", "b", "b", "b", "c/\u{e9} x", "d"] {
        expected.append(try store.beginUpload("photos", key).id)
      }
      for count in 1...7 {
        var (found, query) = ([String](), "")
        for _ in 0..<8 {
          let page = try await ask(port, "GET", "/photos?uploads&max-uploads=\(count)\(query)")?.text ?? ""
          func texts(_ name: String) -> [String] {
            page.split(separator: "<\(name)>").dropFirst().map { String($0.prefix { $0 != "<" }) }
          }
          found += texts("UploadId")
          guard let key = texts("NextKeyMarker").first, let id = texts("NextUploadIdMarker").first else {
            break
          }
          query = "&upload-id-marker=\(id)&key-marker=\(percentEncoded(key.utf8))"
        }
        #expect(found.count == 6 && Set(found) == Set(expected), "\(count)")
      }
      for (query, count) in [
        ("prefix=c/", 1), ("key-marker=b", 2), ("key-marker=a&upload-id-marker=g", 5), ("prefix=x", 0),
      ] {
        let page = try await ask(port, "GET", "/photos?uploads&\(query)")?.text ?? ""
        #expect(page.split(separator: "<Upload>").count == count + 1, "\(query): \(page)")
      }
      #expect(try await code(ask(port, "GET", "/photos?uploads&max-uploads=0")) == "InvalidArgument")
      #expect(try await code(ask(port, "GET", "/photos?uploads&delimiter=/")) == "NotImplemented")
    }
  }

  @Test("the client of a real S3 lists, puts and gets, small and in parts")
  func remote() async throws {
    try await withS3 { port, root, store in
      var options = RemoteObjects.Options()
      options.partByteCount = ObjectStore.smallestPart
      options.largestSinglePut = 1 << 20
      let remote = try RemoteObjects(endpoint: "http://127.0.0.1:\(port)/", credential: nil, options: options)
      var generator = SplitMix64(seed: 3)
      writeScratchFile(
        root + "/large", (0..<1_400_000).flatMap { _ in withUnsafeBytes(of: generator.next()) { Array($0) } })
      writeScratchFile(root + "/empty", [])
      for (name, parts) in [("large", 3), ("empty", 0)] {
        let place = S3Location(bucket: "photos", key: "d \u{1d11e}/\(name)")
        #expect(try await remote.etag(of: place) == nil)
        try await remote.upload("\(root)/\(name)", to: place)
        try await remote.download(place, to: root + "/back")
        #expect(readScratchBytes(root + "/back") == readScratchBytes("\(root)/\(name)"))
        if parts > 0 { #expect(try store.info("photos", "d \u{1d11e}/\(name)").etag.hasSuffix("-\(parts)")) }
      }
      #expect(try store.uploads("photos").isEmpty)
      for number in 0..<1005 { try store.put([1], as: "photos", "many/\(number)") }
      let many = S3Location(bucket: "photos", key: "many")
      #expect(try await remote.list(many).count == 1005)
      #expect(try await remote.list(many, most: 1001).count == 1001)
      await #expect(throws: ObjectError.self) {
        try await remote.list(S3Location(bucket: "nobody", key: ""))
      }
      await #expect(throws: ObjectError.self) {
        try await remote.download(S3Location(bucket: "photos", key: "none"), to: root + "/none")
      }
      #expect(!scratchNames(root).contains { $0.hasPrefix("none") })
    }
  }

  @Test("a refusal is read whole, however short the answer may be; an answer is not")
  func largestAnswer() async throws {
    try await withS3 { port, _, store in
      try store.put([1, 2, 3], as: "photos", "k")
      func ask(_ key: String) async throws -> Transfer.Answer {
        try await Transfer(
          method: "GET", url: "http://127.0.0.1:\(port)/photos/\(key)", largestAnswer: 2,
          silence: .seconds(60)
        ).answer()
      }
      let refusal = try await ask("none")
      #expect(refusal.status == 404 && String(decoding: refusal.body, as: UTF8.self).contains("NoSuchKey"))
      await #expect(throws: Transfer.Failure.self) { _ = try await ask("k") }
    }
  }

  @Test(
    "an invalid endpoint is refused",
    arguments: ["", "s3", "ftp://h", "http://", "http://h/path", "http://u@h", "http://h h"])
  func endpoints(_ text: String) {
    #expect(throws: ObjectError.self) { _ = try RemoteObjects(endpoint: text, credential: nil) }
  }

  @Test(
    "malformed and hostile XML is refused",
    arguments: [
      "", "<", "<Delete>", "<Delete></Delte>", "<!DOCTYPE a [<!ENTITY x \"y\">]><Delete/>",
      "<Delete><Object/></Delete>",
      "<Delete><Object><Key>&x;</Key></Object></Delete>", "<Delete/>more",
      String(repeating: "<a>", count: 5000),
      "<Delete><Object><Key>a</Key></Object>", "\u{0}", "<a b=\"",
      "<Delete><Object><Key>&#0;</Key></Object></Delete>",
    ])
  func hostileXML(_ body: String) async throws {
    try await withS3 { port, _, _ in
      let reply = try await ask(port, "POST", "/photos?delete", body: Array(body.utf8))
      #expect(reply?.status == 400 && code(reply) == "MalformedXML")
    }
  }
}
