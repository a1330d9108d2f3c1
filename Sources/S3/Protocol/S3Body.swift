import Encodings
import HTTP
import HTTPTypes
import Hummingbird
import NIOCore

/// How a request's body is framed and what it is to be compared with.
struct S3Body: Sendable {
  let framing: BodyFraming
  /// The length of the data, without framing, where the head tells it.
  let byteCount: Int?
  let md5: [UInt8]?
  /// The checksum that a header gives.
  let checksum: Checksum?
  /// The algorithm to compute: that of the header, or of one that is announced for after the body.
  let algorithm: ChecksumAlgorithm?
  private let chunkSigning: ChunkSigning?
  /// The checksum comes behind the body.
  private let comesLater: Bool

  /// - Throws: where the headers make no sense, or promise more than can be put.
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
        throw ObjectError(.invalidArgument, "the length of the body is not a number")
      }
      return count
    }
    if let byteCount, byteCount > ObjectStore.largestPut {
      throw ObjectError(
        .entityTooLarge,
        "your proposed upload has \(byteCount) bytes; \(ObjectStore.largestPut) are allowed at once")
    }
    md5 = try call.header("content-md5").map { text in
      guard let bytes = base64Bytes(text), bytes.count == 16 else {
        throw ObjectError(.invalidDigest, "the Content-MD5 you specified is not valid: base64 of 16 bytes is")
      }
      return bytes
    }
    var found: Checksum?
    for algorithm in ChecksumAlgorithm.allCases {
      guard let text = call.header(algorithm.headerName) else { continue }
      guard found == nil else {
        throw ObjectError(.invalidRequest, "expecting a single x-amz-checksum- header; there are two")
      }
      found = try Checksum(algorithm, text: text)
    }
    let announced = try call.header("x-amz-trailer").map(Self.announced)
    guard announced == nil || (found == nil && hasTrailer) else {
      throw ObjectError(
        .invalidRequest,
        found == nil
          ? "x-amz-trailer announces a checksum, and x-amz-content-sha256 says that nothing follows the body"
          : "expecting a single checksum; there is one in the head, and another is announced for after the body"
      )
    }
    checksum = found
    algorithm = found?.algorithm ?? announced
    comesLater = announced != nil
    if let name = call.header("x-amz-sdk-checksum-algorithm") {
      guard let algorithm, ChecksumAlgorithm(rawValue: name.uppercased()) == algorithm else {
        throw ObjectError(
          .invalidRequest,
          "x-amz-sdk-checksum-algorithm is \(name), and there is no x-amz-checksum- or x-amz-trailer header for it"
        )
      }
    }
  }

  /// The algorithm of the checksum that `x-amz-trailer` announces.
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

  /// Takes the whole body into the staged object, the next megabyte coming while one is written and digested.
  ///
  /// - Returns: what to compare it with.
  func receive(_ request: Request, into staged: StagedObject, _ work: OwnThreads) async throws
    -> ExpectedDigests
  {
    var pieces = Pieces(request.body, framing, chunkSigning)
    var piece = try await pieces.next()
    while let current = piece {
      // Refused as soon as it is too much, not when all of it has come.
      guard pieces.byteCount <= byteCount ?? ObjectStore.largestPut else {
        throw ObjectError(.entityTooLarge, "the body is longer than it may be")
      }
      async let written: Void = work.run { try staged.write(current.span) }
      async let digested: Void = work.run { staged.digest(current.span) }
      piece = try await pieces.next()
      try await written
      try await digested
    }
    return try expected(pieces.finish(expecting: byteCount))
  }

  /// The whole of a small body, and what to compare it with.
  func receiveAll(_ request: Request, limit: Int) async throws -> (bytes: [UInt8], expected: ExpectedDigests)
  {
    var pieces = Pieces(request.body, framing, chunkSigning)
    var bytes: [UInt8] = []
    while let piece = try await pieces.next() {
      guard piece.count <= limit - bytes.count else {
        throw ObjectError(.malformedXML, "the body is longer than the \(limit) bytes that are read of one")
      }
      bytes += piece
    }
    return (bytes, try expected(pieces.finish(expecting: byteCount)))
  }

  /// - Throws: where a checksum that was announced did not come, or one came that was not.
  private func expected(_ trailers: [(name: String, value: String)]) throws -> ExpectedDigests {
    var expected = ExpectedDigests(md5: md5, sha256: expectedSHA256, checksum: checksum)
    for (name, value) in trailers where name.utf8.starts(with: "x-amz-checksum-".utf8) {
      guard comesLater, expected.checksum == nil, let algorithm, algorithm.headerName == name else {
        throw SignatureError(.malformedTrailer, "the trailer \(name) was not announced by x-amz-trailer")
      }
      expected.checksum = try Checksum(algorithm, text: value)
    }
    guard !comesLater || expected.checksum != nil else {
      throw SignatureError(.malformedTrailer, "the checksum that x-amz-trailer announced did not come")
    }
    return expected
  }

  /// The data of a body in pieces of a megabyte or so.
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
