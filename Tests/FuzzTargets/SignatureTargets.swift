import Encodings
import HTTPTypes
import S3

private let credential = Credential(
  accessKey: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
private let stranger = Credential(accessKey: "AKIDEXAMPLE", secretKey: "another")
/// 2015-08-30T12:36:00Z
private let now = UTCTime(secondsSince1970: 1_440_938_160)

// MARK: Chunks

/// The signatures that come before the first chunk's.
private func chunkSigning(_ credential: Credential = credential) throws -> ChunkSigning {
  var request = HTTPRequest(method: .put, scheme: "http", authority: "h", path: "/b/k")
  try RequestSigner(credential, region: "us-east-1", service: "s3", rules: .s3)
    .sign(&request, payload: .unsigned, at: now)
  return try RequestVerifier([credential], rules: .s3).verify(request, now: now).chunkSigning
}

private func signed(_ chunks: [[UInt8]], trailer: [(name: String, value: String)], _ signing: ChunkSigning)
  -> [UInt8]
{
  var (body, previous) = ([UInt8](), signing.first)
  for chunk in chunks + [[]] {
    previous = signing.signature(ofChunk: chunk, after: previous)
    body += "\(String(chunk.count, radix: 16));chunk-signature=\(previous)\r\n".utf8
    body += chunk
    if !chunk.isEmpty { body += "\r\n".utf8 }
  }
  guard !trailer.isEmpty else { return body + "\r\n".utf8 }
  for (name, value) in trailer { body += "\(name):\(value)\r\n".utf8 }
  return body
    + "x-amz-trailer-signature:\(signing.signature(ofTrailers: trailer, after: previous))\r\n\r\n".utf8
}

private struct Decoded: Equatable {
  var data: [UInt8] = []
  var trailers: [String] = []
  var error: SignatureError?
}

private func decode(_ pieces: some Sequence<ArraySlice<UInt8>>, _ signing: ChunkSigning?, hasTrailer: Bool)
  -> Decoded
{
  var (decoder, decoded) = (ChunkDecoder(signing: signing, hasTrailer: hasTrailer), Decoded())
  do throws(SignatureError) {
    for piece in pieces { try decoder.decode(piece) { decoded.data += $0 } }
    try decoder.finish(expecting: nil)
  } catch {
    decoded.error = error
  }
  decoded.trailers = decoder.trailers.map { "\($0.name):\($0.value)" }
  return decoded
}

let chunks = FuzzTarget(
  "chunks",
  words: [
    "\r\n", "0\r\n", ";chunk-signature=", "0\r\n\r\n", "ffffffffffffffff", "7fffffffffffff", "-0", "+1", "00",
    "x-amz-checksum-crc32:", "x-amz-trailer-signature:",
  ],
  seeds: {
    let signing = try chunkSigning()
    return [
      Array("5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nx-amz-checksum-crc32: DUoRhQ==\r\n\r\n".utf8),
      Array("A\n0123456789\n0\n\n".utf8), signed([[1, 2, 3], [4]], trailer: [], signing),
      signed([[UInt8](repeating: 7, count: 70)], trailer: [("x-amz-checksum-crc32", "AAAAAA==")], signing),
    ]
  },
  check: { input, _ in
    var choices = Choices(input)
    let key = try chunkSigning()
    // With trailers or without, chosen by the length, which most mutations change.
    let mayHaveTrailer = input.count % 4 < 2
    for signing in [nil, key] {
      let whole = decode([input[...]], signing, hasTrailer: mayHaveTrailer)
      let parts = decode(pieces(input, &choices), signing, hasTrailer: mayHaveTrailer)
      try require(
        whole.error == parts.error && (whole.error != nil || whole == parts),
        "a body is decoded to the same, however it comes")
      try require(whole.data.count <= input.count, "data come from the body")
      if let error = whole.error { try requireSentence(error) }
      if signing != nil, whole.error == nil {
        let open = decode([input[...]], nil, hasTrailer: mayHaveTrailer)
        try require(open == whole, "signatures do not change the data")
      }
    }
    // What is signed is accepted, what is changed then is not.
    var (sent, rest) = ([[UInt8]](), input[...])
    while !rest.isEmpty {
      let piece = rest.prefix(Int.random(in: 1...max(64, input.count / 4), using: &choices))
      sent.append(Array(piece))
      rest = rest.dropFirst(piece.count)
    }
    let trailer = input.count % 2 == 0 ? [] : [(name: "x-amz-checksum-crc32", value: "AAAAAA==")]
    let body = signed(sent, trailer: trailer, key)
    let hasTrailer = !trailer.isEmpty
    let got = decode(pieces(body, &choices), key, hasTrailer: hasTrailer)
    try require(got.error == nil && got.data == input, "a signed body is accepted, and its data come out")
    try require(
      decode([body[...]], try chunkSigning(stranger), hasTrailer: hasTrailer).error?.code
        == .signatureDoesNotMatch,
      "a body is not accepted with another secret")
    for _ in 0..<2 {
      var changed = body
      let place = Int.random(in: body.indices, using: &choices)
      changed[place] ^= 1 << UInt8.random(in: 0..<8, using: &choices)
      let found = decode([changed[...]], key, hasTrailer: hasTrailer)
      // An end of a line may be spelled in two ways, and so may a digit.
      try require(
        found.error != nil
          || (found.data == input
            && found.trailers.map { $0.lowercased() } == got.trailers.map { $0.lowercased() }),
        "no other data are accepted: byte \(place)")
    }
    let cut = Int.random(in: 0..<max(1, body.count - 2), using: &choices)
    try require(
      decode([body[..<cut]], key, hasTrailer: hasTrailer).error != nil,
      "a body that is cut is refused: byte \(cut)")
  })

// MARK: Requests

/// `METHOD target`, then a header a line.
private func parsed(_ bytes: [UInt8]) -> HTTPRequest? {
  let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    .map { String(decoding: $0, as: UTF8.self) }
  let words = (lines.first ?? "").split(separator: " ", maxSplits: 1)
  // What no server hands on: white space and control characters in the target of a request.
  guard words.count == 2, let method = HTTPRequest.Method(String(words[0])),
    words[1].utf8.first == UInt8(ascii: "/"),
    words[1].utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F })
  else { return nil }
  var request = HTTPRequest(
    method: method, scheme: "http", authority: "example.amazonaws.com", path: String(words[1]))
  for line in lines.dropFirst() {
    guard let colon = line.firstIndex(of: ":"), let name = HTTPField.Name(String(line[..<colon])) else {
      continue
    }
    request.headerFields.append(HTTPField(name: name, value: String(line[line.index(after: colon)...])))
  }
  return request
}

private func text(_ request: HTTPRequest) -> [UInt8] {
  let head = "\(request.method.rawValue) \(request.path ?? "/")"
  return Array(
    ([head] + request.headerFields.map { "\($0.name.rawName):\($0.value)" }).joined(separator: "\n").utf8)
}

private func refusal(
  _ request: HTTPRequest, _ credential: Credential, _ rules: SigningRules, at time: UTCTime = now
) throws
  -> SignatureError?
{
  do throws(SignatureError) {
    _ = try RequestVerifier([credential], rules: rules).verify(request, now: time)
    return nil
  } catch {
    try requireSentence(error)
    return error
  }
}

/// Ways to change a request that make it another one.
private func changes(_ request: HTTPRequest) -> [(what: String, request: HTTPRequest)] {
  func changed(_ what: String, _ body: (inout HTTPRequest) -> Void) -> (String, HTTPRequest) {
    var other = request
    body(&other)
    return (what, other)
  }
  return [
    changed("the method") { $0.method = request.method == .delete ? .get : .delete },
    changed("the path") { $0.path = "/x" + (request.path ?? "") },
    changed("the host") { $0.authority = "other" },
    changed("a header of Amazon's") {
      $0.headerFields[HTTPField.Name("x-amz-acl")!] = "public-read-write-\(request.path?.count ?? 0)"
    },
  ]
}

private let requestWords: [FuzzTarget.Word] = [
  "GET /", "PUT /", "?", "&", "=", "%2F", "%", "+", "/../", "/./", "//", "\n", ":", "host:", "x-amz-date:",
  "x-amz-acl:",
  "x-amz-content-sha256:UNSIGNED-PAYLOAD", "Authorization:AWS4-HMAC-SHA256 ", "Credential=AKIDEXAMPLE/",
  "SignedHeaders=host;",
  "Signature=", "20150830", "/us-east-1/s3/aws4_request", "X-Amz-Signature=", "X-Amz-Expires=",
  "AWSAccessKeyId=", "Expires=",
  [0xcc, 0x81], [0xff], "  ",
]

let signatures = FuzzTarget(
  "signature",
  words: requestWords,
  seeds: {
    let plain = [
      "GET /", "PUT /bucket/a%20b/\u{e9}?x=1&a=%2F&a\nHost:h\nContent-Type: a  b \nX-Amz-Meta-A:\tx",
      "POST //a/../b/./?b&a=+&=\nx-amz-acl:private\nx-amz-acl:other",
    ].map { Array($0.utf8) }
    var signed: [[UInt8]] = []
    for rules in [SigningRules.s3, .general] {
      for bytes in plain {
        guard var request = parsed(bytes) else { continue }
        try RequestSigner(credential, region: "us-east-1", service: "s3", rules: rules)
          .sign(&request, payload: .empty, at: now)
        signed.append(text(request))
      }
    }
    return plain + signed
  },
  check: { input, _ in
    guard let given = parsed(input) else { return }
    // One of the two, chosen by the length, which most mutations change.
    let rules = [SigningRules.s3, .general][input.count % 2]
    _ = RequestVerifier.isSigned(given)
    try require(
      refusal(given, Credential(accessKey: "other", secretKey: "s"), rules) != nil,
      "nobody signs with a key that is not there")
    try require(refusal(given, stranger, rules) != nil, "nobody signs with another secret")
    if try refusal(given, credential, rules) == nil { try requireNoChange(given, rules) }
    var request = given
    // Who signs has no session, whatever a header says.
    if let token = HTTPField.Name("x-amz-security-token") { request.headerFields[token] = nil }
    let signer = RequestSigner(credential, region: "us-east-1", service: "s3", rules: rules)
    try signer.sign(&request, payload: .empty, at: now)
    let error = try refusal(request, credential, rules)
    try require(error == nil, "what is signed is accepted: \(error.map { "\($0)" } ?? "")")
    try require(
      refusal(request, credential, rules, at: now.advanced(bySeconds: 901))?.code == .requestTimeTooSkewed,
      "a request is not accepted later")
    try requireNoChange(request, rules)
  })

private func requireNoChange(_ request: HTTPRequest, _ rules: SigningRules) throws {
  // One change, chosen by the length, which most mutations change.
  let all = changes(request)
  for (what, other) in all[((request.path ?? "").utf8.count % all.count)...].prefix(1) {
    // What is signed of a host header is the header.
    if what == "the host", request.headerFields.contains(where: { $0.name.canonicalName == "host" }) {
      continue
    }
    if what == "a header of Amazon's", rules == .general { continue }
    // Paths that climb above the root end up at the same place.
    if what == "the path", rules == .general, request.path?.contains("..") == true { continue }
    try require(
      refusal(other, credential, rules) != nil, "a request is not accepted when \(what) was changed")
  }
}

let presigned = FuzzTarget(
  "presigned",
  words: requestWords,
  seeds: {
    let plain = ["GET /bucket/key", "PUT /b/a%20b?partNumber=1&uploadId=x\nHost:h\nx-amz-acl:private"].map {
      Array($0.utf8)
    }
    return try plain
      + plain.compactMap { bytes in
        guard var request = parsed(bytes) else { return nil }
        request.path = try RequestSigner(credential, region: "us-east-1", service: "s3", rules: .s3)
          .presign(request, expiringIn: 600, at: now)
        return text(request)
      } + [
        Array(
          "GET /b/k?AWSAccessKeyId=AKIDEXAMPLE&Signature=AAAAAAAAAAAAAAAAAAAAAAAAAAA%3D&Expires=1440938760&x-amz-a=b"
            .utf8)
      ]
  },
  check: { input, _ in
    guard let given = parsed(input) else { return }
    _ = try? RequestVerifier.checkExpiry(of: given, now: now)
    try require(refusal(given, stranger, .s3) != nil, "nobody signs with another secret")
    if try refusal(given, credential, .s3) == nil { try requireNoChange(given, .s3) }
    // Those that have a signature already are not signed again.
    let target = (given.path ?? "").lowercased()
    guard !["x-amz-", "awsaccesskeyid"].contains(where: { target.contains($0) }) && !target.contains("%"),
      given.headerFields.allSatisfy({
        !["authorization", "x-amz-content-sha256", "x-amz-security-token"].contains($0.name.canonicalName)
      })
    else { return }
    var request = given
    request.path = try RequestSigner(credential, region: "us-east-1", service: "s3", rules: .s3)
      .presign(given, expiringIn: 600, at: now)
    let error = try refusal(request, credential, .s3)
    try require(error == nil, "what is presigned is accepted: \(error.map { "\($0)" } ?? "")")
    try require(
      refusal(request, credential, .s3, at: now.advanced(bySeconds: 601))?.code == .accessDenied,
      "a presigned request is not accepted later")
    var longer = request
    longer.path = request.path?.replacing("X-Amz-Expires=600", with: "X-Amz-Expires=700")
    try require(refusal(longer, credential, .s3) != nil, "nobody makes a presigned request good for longer")
    try requireNoChange(request, .s3)
  })
