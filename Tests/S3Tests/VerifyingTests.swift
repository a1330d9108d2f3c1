import Encodings
import HTTPTypes
import TestSupport
import Testing

@testable import S3

@Suite("Verifying")
struct VerifyingTests {
  private func code(_ body: () throws -> Void) -> SignatureError.Code? {
    do { try body() } catch { return (error as? SignatureError)?.code }
    return nil
  }

  /// A good request of S3, signed at `signingTime`.
  private func goodRequest(at time: UTCTime = signingTime) throws -> HTTPRequest {
    var request = try makeRequest(
      "PUT", "/bucket/a%20key?partNumber=2&uploadId=x",
      [["X-Amz-Meta-One", "two"], ["Content-Type", "image/jpeg"]])
    try RequestSigner(credential(), region: "eu-central-1", service: "s3", rules: .s3)
      .sign(&request, payload: .unsigned, at: time)
    return request
  }

  private func verify(
    _ request: HTTPRequest, _ known: Credential = credential(), at now: UTCTime = signingTime
  ) throws {
    _ = try RequestVerifier([known], rules: .s3, service: "s3").verify(request, now: now)
  }

  @Test("what botocore signs is accepted", arguments: try SigningCases.all().signed)
  func botocore(_ test: SigningCases.Signed) throws {
    let request = try makeRequest(test.method, test.target, test.signed)
    let verifier = RequestVerifier(
      [credential(token: test.token)], rules: test.signingRules, service: test.service)
    let found = try verifier.verify(request, bodyDigest: sha256Text(Array(test.body)), now: signingTime)
    #expect(found.scope == SigningScope(day: "20150830", region: test.region, service: test.service))
    #expect(found.accessKey == "AKIDEXAMPLE")
  }

  @Test("botocore's presigned URLs are good until they expire", arguments: try SigningCases.all().presigned)
  func presigned(_ test: SigningCases.Presigned) throws {
    let request = try makeRequest(test.method, test.target, test.headers)
    let known = credential(token: test.token)
    try verify(request, known, at: signingTime.advanced(bySeconds: test.expires))
    #expect(
      code { try verify(request, known, at: signingTime.advanced(bySeconds: test.expires + 1)) }
        == .accessDenied)
    #expect(code { try verify(request, known, at: signingTime.advanced(bySeconds: -901)) } == .accessDenied)
  }

  @Test("botocore's URLs of version 2 are good until they expire", arguments: try SigningCases.all().older)
  func older(_ test: SigningCases.Older) throws {
    let request = try makeRequest(test.method, test.target, [])
    let known = credential(token: test.token)
    let (last, late) = (signingTime.advanced(bySeconds: 600), signingTime.advanced(bySeconds: 601))
    try verify(request, known, at: last)
    #expect(code { try verify(request, known, at: late) } == .accessDenied)
    let other = Credential(accessKey: "AKIDEXAMPLE", secretKey: "another", sessionToken: test.token)
    #expect(code { try verify(request, other, at: last) } == .signatureDoesNotMatch)
    // Who looks at no signature still knows how long a URL is good.
    #expect(code { try RequestVerifier.checkExpiry(of: request, now: last) } == nil)
    #expect(code { try RequestVerifier.checkExpiry(of: request, now: late) } == .accessDenied)
    // None of the other services knows it.
    let general = RequestVerifier([known], rules: .general)
    #expect(code { _ = try general.verify(request, now: last) } == .missingAuthenticationToken)
  }

  @Test("a URL of version 2 with one thing changed is refused, whatever it is")
  func olderMutations() throws {
    let good = try #require(
      try SigningCases.all().older.first { $0.token != nil && $0.target.contains("uploadId=x") })
    let target = Array(good.target.utf8)
    var refused = 0
    for place in target.indices.dropFirst() {
      var bytes = target
      bytes[place] ^= 1
      guard bytes[place] > 0x20, bytes[place] < 0x7F else { continue }
      let changed = try makeRequest(good.method, String(decoding: bytes, as: UTF8.self), [])
      // Parameters that change nothing of what is asked for are not signed.
      let isSigned =
        RequestTarget(changed.path ?? "").query.map(\.name).sorted { $0.lexicographicallyPrecedes($1) }
        == RequestTarget(good.target).query.map(\.name).sorted { $0.lexicographicallyPrecedes($1) }
      guard isSigned else { continue }
      if code({ try verify(changed, credential(token: good.token)) }) != nil { refused += 1 }
    }
    #expect(refused > 100)
    for (method, headers) in [
      ("PATCH", []), (good.method, [["x-amz-acl", "public-read"]]), (good.method, [["content-md5", "x"]]),
    ] {
      let changed = try makeRequest(method, good.target, headers)
      #expect(code { try verify(changed, credential(token: good.token)) } == .signatureDoesNotMatch)
    }
    let faulty = [
      "/b/k?AWSAccessKeyId=AKIDEXAMPLE", "/b/k?AWSAccessKeyId=AKIDEXAMPLE&Signature=AA==&Expires=x",
      "/b/k?AWSAccessKeyId=AKIDEXAMPLE&Signature=?&Expires=1500000000",
    ]
    for target in faulty {
      #expect(code { try verify(try makeRequest("GET", target, [])) } == .accessDenied, "\(target)")
    }
    let stranger = try makeRequest("GET", "/b/k?AWSAccessKeyId=x&Signature=AAAA&Expires=1500000000", [])
    #expect(code { try verify(stranger) } == .invalidAccessKeyId)
  }

  @Test("a request with one thing changed is refused, whatever it is")
  func mutations() throws {
    let good = try goodRequest()
    try verify(good)
    var changed: [HTTPRequest] = []
    for method: HTTPRequest.Method in [.get, .post, .delete] {
      var request = good
      request.method = method
      changed.append(request)
    }
    let target = Array((good.path ?? "").utf8)
    for place in target.indices.dropFirst() {
      for flip: UInt8 in [1, 4] {
        var bytes = target
        bytes[place] ^= flip
        // A '+' for a space, and an escape in lower case, mean the same.
        guard bytes[place] > 0x20, bytes[place] < 0x7F else { continue }
        var request = good
        request.path = String(decoding: bytes, as: UTF8.self)
        changed.append(request)
      }
    }
    for field in good.headerFields {
      for place in Array(field.value.utf8).indices {
        var bytes = Array(field.value.utf8)
        bytes[place] ^= 1
        guard bytes[place] >= 0x20, bytes[place] < 0x7F else { continue }
        var request = good
        request.headerFields[field.name] = String(decoding: bytes, as: UTF8.self)
        changed.append(request)
      }
    }
    var request = good
    request.authority = "example.amazonaws.org"
    changed.append(request)
    for name in ["x-amz-meta-one", "content-type"] {
      request = good
      request.headerFields[try #require(HTTPField.Name(name))] = nil
      changed.append(request)
    }
    request = good
    request.headerFields[try #require(HTTPField.Name("x-amz-acl"))] = "public-read"
    changed.append(request)
    #expect(changed.count > 300)
    for request in changed {
      #expect(throws: SignatureError.self, "\(request) \(request.headerFields)") { try verify(request) }
    }
  }

  @Test("clocks may differ by at most 15 minutes", arguments: [-901, -900, 900, 901])
  func skew(_ seconds: Int) throws {
    let request = try goodRequest()
    let found = code { try verify(request, at: signingTime.advanced(bySeconds: seconds)) }
    #expect(found == (abs(seconds) > 900 ? .requestTimeTooSkewed : nil))
  }

  @Test("each fault has Amazon's code for it")
  func codes() throws {
    let good = try goodRequest()
    let name = HTTPField.Name.authorization
    func with(_ value: String?) -> HTTPRequest {
      var request = good
      request.headerFields[name] = value
      return request
    }
    let header = try #require(good.headerFields[name])
    #expect(code { try verify(with(nil)) } == .accessDenied)
    #expect(code { try verify(with("AWS AKID:signature")) } == .invalidRequest)
    #expect(code { try verify(with("AWS4-HMAC-SHA256")) } == .authorizationHeaderMalformed)
    #expect(code { try verify(with("AWS4-HMAC-SHA256 Credential=a/b")) } == .authorizationHeaderMalformed)
    #expect(code { try verify(with(header + "0")) } == .authorizationHeaderMalformed)
    #expect(
      code { try verify(with(header.replacing("/s3/", with: "/iam/"))) } == .authorizationHeaderMalformed)
    #expect(code { try verify(with(header.replacing("host;", with: ""))) } == .signatureDoesNotMatch)
    #expect(
      code { try verify(with(header.replacing("20150830", with: "20150829"))) } == .signatureDoesNotMatch)
    #expect(
      code { try verify(with(header.replacing("eu-central-1", with: "us-east-1"))) } == .signatureDoesNotMatch
    )
    #expect(
      code { try verify(with(header.replacing("AKIDEXAMPLE", with: "AKIDOTHER"))) } == .invalidAccessKeyId)
    let other = Credential(accessKey: "AKIDEXAMPLE", secretKey: "another")
    #expect(code { try verify(good, other) } == .signatureDoesNotMatch)
    #expect(code { try verify(good, credential(token: "needed")) } == .invalidToken)
    #expect(code { try verify(good, credential(expiry: signingTime)) } == .expiredToken)
    var request = good
    request.headerFields[.amzDate] = "yesterday"
    #expect(code { try verify(request) } == .accessDenied)
    request = good
    request.path = "/b/k?X-Amz-Signature=00"
    request.headerFields[name] = nil
    #expect(code { try verify(request) } == .authorizationQueryParametersError)
  }

  @Test("a repeated header and a folded value are signed as they mean")
  func folding() throws {
    var request = try makeRequest("GET", "/", [["My-Header", "  a \t b  "], ["My-Header", "c"]])
    #expect(request.headerValue("my-header") == "a b,c")
    request.headerFields[.init("Host")!] = "named"
    #expect(request.headerValue("host") == "named")
  }

  @Test(
    "strange request targets are parsed without trapping",
    arguments: ["", "?", "/?&&=&=a&b", "/%?%=%zz", "/%e2%82?\u{0}=\u{FFFD}"])
  func strangeTargets(_ target: String) {
    let parts = RequestTarget(target)
    _ = (parts.canonicalPath(.s3), parts.canonicalPath(.general), parts.canonicalQuery)
  }
}
