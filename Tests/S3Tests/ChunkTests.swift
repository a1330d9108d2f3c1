import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import S3

@Suite("Bodies in chunks")
struct ChunkTests {
  /// Feeds the body in pieces; returns the data.
  private func decode(_ body: [UInt8], pieces: Int, _ decoder: inout ChunkDecoder, expecting: Int? = nil)
    throws -> [UInt8]
  {
    var data: [UInt8] = []
    for start in stride(from: 0, to: body.count, by: pieces) {
      try decoder.decode(body[start..<min(start + pieces, body.count)]) { data += $0 }
    }
    try decoder.finish(expecting: expecting)
    return data
  }

  private func signing(_ test: SigningCases.Chunked) throws -> ChunkSigning {
    let request = try makeRequest("PUT", "/bucket/key", test.headers)
    return try RequestVerifier([credential()], rules: .s3).verify(request, now: signingTime).chunkSigning
  }

  @Test(
    "signed chunks are accepted in pieces of any size, and their data come out",
    arguments: [1, 2, 7, 100, 100_000])
  func whole(_ pieces: Int) throws {
    for test in try SigningCases.all().chunked {
      var decoder = ChunkDecoder(signing: try signing(test), hasTrailer: test.trailer)
      let data = try decode(Array(test.body), pieces: pieces, &decoder, expecting: test.data.count)
      #expect(data == Array(test.data))
      #expect(decoder.trailers.first?.value == (test.trailer ? "AAAAAA==" : nil))
    }
  }

  @Test("any byte changed or missing is noticed")
  func damage() throws {
    let test = try #require(SigningCases.all().chunked.first { $0.trailer && $0.data.count > 100 })
    let body = Array(test.body)
    let key = try signing(test)
    for place in body.indices {
      var changed = body
      changed[place] ^= 1
      var decoder = ChunkDecoder(signing: key, hasTrailer: true)
      let data = try? decode(changed, pieces: 64, &decoder)
      // What changes no data, such as the name of an extension, may pass.
      #expect(data == nil || data == Array(test.data), "byte \(place)")
    }
    for count in 0..<(body.count - 2) {
      var decoder = ChunkDecoder(signing: key, hasTrailer: true)
      #expect(throws: SignatureError.self, "\(count) bytes") {
        _ = try decode(Array(body[..<count]), pieces: 64, &decoder)
      }
    }
  }

  @Test("unsigned chunks need no key")
  func unsigned() throws {
    var decoder = ChunkDecoder(signing: nil, hasTrailer: true)
    let body = Array("5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nx-amz-checksum-crc32: DUoRhQ==\r\n\r\n".utf8)
    #expect(try decode(body, pieces: 3, &decoder, expecting: 11) == Array("hello world".utf8))
    #expect(decoder.trailers.map(\.name) == ["x-amz-checksum-crc32"])
  }

  @Test(
    "an invalid chunk is refused, and nothing traps",
    arguments: [
      "", "0", "-1\r\n", "-0\r\n\r\n", "+5\r\nhello", "zz\r\n", "ffffffffffffffffffff\r\n",
      "7fffffffffffffff\r\n",
      "5\r\nhello!!",
      "5\r\nhello\r\n", "0\r\n\r\nmore", "0\r\nnoheader\r\n\r\n", "\r\n", String(repeating: "a", count: 9000),
      "0\r\n" + String(repeating: "a:b\r\n", count: 100) + "\r\n",
    ])
  func hostile(_ body: String) {
    for pieces in [1, 10_000] {
      var decoder = ChunkDecoder(signing: nil, hasTrailer: true)
      #expect(throws: SignatureError.self) { _ = try decode(Array(body.utf8), pieces: pieces, &decoder) }
    }
  }

  @Test("a length that is not the promised one is refused")
  func wrongLength() {
    var decoder = ChunkDecoder(signing: nil, hasTrailer: false)
    #expect(
      throws: SignatureError(
        .incompleteBody, "the body has 5 bytes of data, but x-amz-decoded-content-length is 6")
    ) {
      _ = try decode(Array("5\r\nhello\r\n0\r\n\r\n".utf8), pieces: 100, &decoder, expecting: 6)
    }
  }

  @Test("the words of x-amz-content-sha256 are understood")
  func framing() throws {
    let digits = String(repeating: "Ab", count: 32)
    #expect(try BodyFraming(contentSHA256: nil) == .plain(sha256: nil))
    #expect(try BodyFraming(contentSHA256: digits) == .plain(sha256: digits.lowercased()))
    #expect(
      try BodyFraming(contentSHA256: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        == .chunked(isSigned: true, hasTrailer: false))
    #expect(
      try BodyFraming(contentSHA256: "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        == .chunked(isSigned: false, hasTrailer: true))
    #expect(throws: SignatureError.self) { _ = try BodyFraming(contentSHA256: "none") }
  }
}
