import Encodings
import HTTP
import HTTPTypes
import HummingbirdCore
import NIOCore

/// The framing of a request body, and the digests to compare the body with.
struct S3Body: Sendable {
  let framing: BodyFraming
  /// The length of the data without its framing, if the headers state it.
  let byteCount: Int?
  let md5: [UInt8]?
  /// The checksum given in a header.
  let checksum: Checksum?
  /// The checksum algorithm to compute, from a checksum header or from an announced trailer.
  let algorithm: ChecksumAlgorithm?
  private let chunkSigning: ChunkSigning?
  /// Whether the checksum is in a trailer after the body.
  private let comesLater: Bool

  /// - Throws: `ObjectError` or `SignatureError` if the headers contradict each other or are malformed, or
  ///   the body is larger than one PUT allows.
  init(_ call: S3Call, _ verified: VerifiedRequest?) throws {
    framing = try BodyFraming(contentSHA256: call.header("x-amz-content-sha256"))
    var (isChunked, hasTrailer) = (false, false)
    if case .chunked(let isSigned, let isFollowed) = framing {
      (isChunked, hasTrailer) = (true, isFollowed)
      chunkSigning = isSigned ? verified?.chunkSigning : nil
    } else {
      chunkSigning = nil
    }
    let length = call.header(isChunked ? "x-amz-decoded-content-length" : "content-length")
    byteCount = try length.map { text in
      guard let count = Int(text), count >= 0 else {
        throw ObjectError(.invalidArgument, "the stated length of the request body is not a number")
      }
      return count
    }
    if let byteCount, byteCount > ObjectStore.largestPut {
      throw ObjectError(
        .entityTooLarge,
        "your proposed upload has \(byteCount) bytes; at most \(ObjectStore.largestPut) are allowed in one request"
      )
    }
    md5 = try call.header("content-md5").map { text in
      guard let bytes = base64Bytes(text), bytes.count == 16 else {
        throw ObjectError(
          .invalidDigest, "the Content-MD5 you specified is not valid; base64 of 16 bytes is expected")
      }
      return bytes
    }
    var found: Checksum?
    for algorithm in ChecksumAlgorithm.allCases {
      guard let text = call.header(algorithm.headerName) else { continue }
      guard found == nil else {
        throw ObjectError(.invalidRequest, "expecting a single x-amz-checksum- header, but there are two")
      }
      found = try Checksum(algorithm, text: text)
    }
    let announced = try call.header("x-amz-trailer").map(Self.announced)
    guard announced == nil || (found == nil && hasTrailer) else {
      throw ObjectError(
        .invalidRequest,
        found == nil
          ? "x-amz-trailer announces a checksum, but x-amz-content-sha256 does not announce a trailer"
          : "expecting a single checksum, but there is one in the headers and another announced for the trailer"
      )
    }
    checksum = found
    algorithm = found?.algorithm ?? announced
    comesLater = announced != nil
    if let name = call.header("x-amz-sdk-checksum-algorithm") {
      guard let algorithm, ChecksumAlgorithm(rawValue: name.uppercased()) == algorithm else {
        throw ObjectError(
          .invalidRequest,
          "x-amz-sdk-checksum-algorithm is \(name), but there is no x-amz-checksum- or x-amz-trailer header for it"
        )
      }
    }
  }

  /// The algorithm of the checksum that the header `x-amz-trailer` announces.
  private static func announced(_ trailer: String) throws(ObjectError) -> ChecksumAlgorithm {
    let name = trailer.lowercased()
    guard let algorithm = ChecksumAlgorithm.allCases.first(where: { $0.headerName == name }) else {
      throw ObjectError(
        .notImplemented,
        "a header you provided implies functionality that is not implemented: x-amz-trailer: \(name)")
    }
    return algorithm
  }

  var expectedSHA256: String? { if case .plain(let digest) = framing { digest } else { nil } }

  /// Receives the whole body into a staged object. The next piece, about 1 MiB, is received while the current
  /// one is written and digested.
  ///
  /// - Returns: the digests to compare the staged object with.
  func receive(_ request: Request, into staged: StagedObject, _ work: OwnThreads) async throws
    -> ExpectedDigests
  {
    var pieces = Pieces(request.body, framing, chunkSigning)
    var piece = try await pieces.next()
    while let current = piece {
      // Refuse an oversized body as soon as it is too large, not after receiving all of it.
      guard pieces.byteCount <= byteCount ?? ObjectStore.largestPut else {
        throw ObjectError(
          .entityTooLarge, "the request body is longer than \(byteCount ?? ObjectStore.largestPut) bytes")
      }
      async let written: Void = work.run { try staged.write(current.span) }
      async let digested: Void = work.run { staged.digest(current.span) }
      piece = try await pieces.next()
      try await written
      try await digested
    }
    return try expected(pieces.finish(expecting: byteCount))
  }

  /// Receives a small body into memory, together with the digests to compare it with.
  func receiveAll(_ request: Request, limit: Int) async throws -> (bytes: [UInt8], expected: ExpectedDigests)
  {
    var pieces = Pieces(request.body, framing, chunkSigning)
    var bytes: [UInt8] = []
    while let piece = try await pieces.next() {
      guard piece.count <= limit - bytes.count else {
        throw ObjectError(.malformedXML, "the request body is longer than the limit of \(limit) bytes")
      }
      bytes += piece
    }
    return (bytes, try expected(pieces.finish(expecting: byteCount)))
  }

  /// The digests to compare the body with, including a checksum in the trailers.
  ///
  /// - Throws: if an announced checksum is missing or an unannounced one is present.
  private func expected(_ trailers: [(name: String, value: String)]) throws -> ExpectedDigests {
    var expected = ExpectedDigests(md5: md5, sha256: expectedSHA256, checksum: checksum)
    for (name, value) in trailers where name.utf8.starts(with: "x-amz-checksum-".utf8) {
      guard comesLater, expected.checksum == nil, let algorithm, algorithm.headerName == name else {
        throw SignatureError(.malformedTrailer, "the trailer \(name) was not announced by x-amz-trailer")
      }
      expected.checksum = try Checksum(algorithm, text: value)
    }
    guard !comesLater || expected.checksum != nil else {
      throw SignatureError(.malformedTrailer, "the checksum that x-amz-trailer announced is missing")
    }
    return expected
  }

  /// The data of a body, without framing, in pieces of about 1 MiB.
  private struct Pieces {
    private var iterator: RequestBody.AsyncIterator
    private var decoder: ChunkDecoder?
    private var isOver = false
    private(set) var byteCount = 0
    private static let pieceByteCount = 1 << 20

    init(_ body: RequestBody, _ framing: BodyFraming, _ signing: ChunkSigning?) {
      iterator = body.makeAsyncIterator()
      if case .chunked(_, let hasTrailer) = framing {
        decoder = ChunkDecoder(signing: signing, hasTrailer: hasTrailer)
      }
    }

    mutating func next() async throws -> [UInt8]? {
      guard !isOver else { return nil }
      var piece: [UInt8] = []
      while piece.count < Self.pieceByteCount {
        guard let buffer = try await iterator.next() else {
          isOver = true
          break
        }
        if piece.isEmpty { piece.reserveCapacity(Self.pieceByteCount + buffer.readableBytes) }
        if decoder != nil {
          try decoder?.decode(Array(buffer.readableBytesView)[...]) { piece += $0 }
        } else {
          unsafe buffer.withUnsafeReadableBytes { unsafe piece.append(contentsOf: $0) }
        }
      }
      byteCount += piece.count
      return piece.isEmpty ? nil : piece
    }

    mutating func finish(expecting expected: Int?) throws -> [(name: String, value: String)] {
      if decoder != nil {
        try decoder?.finish(expecting: expected)
        return decoder?.trailers ?? []
      }
      if let expected, expected != byteCount {
        throw ObjectError(
          .incompleteBody,
          "you did not provide the number of bytes specified by Content-Length: \(byteCount) of \(expected)")
      }
      return []
    }
  }
}
