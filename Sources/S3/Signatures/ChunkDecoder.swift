import Encodings

/// How the chunks of a request body are signed: each signature covers the previous one.
public struct ChunkSigning: Sendable {
  let key: SigningKey
  let time: UTCTime
  let seed: String

  /// The seed signature, which the first chunk's signature covers.
  package var first: String { seed }

  /// - Parameter previous: the signature of the previous chunk, or `first`.
  package func signature(ofChunk data: [UInt8], after previous: String) -> String {
    key.signature(of: text(ofChunk: Digest.of(data, .sha256), after: previous))
  }

  /// - Parameter previous: the signature of the last chunk, which is empty.
  package func signature(
    ofTrailers trailers: [(name: String, value: String)], after previous: String
  )
    -> String
  {
    key.signature(
      of: text(ofTrailers: trailers.map { "\($0.name):\($0.value)\n" }.joined(), after: previous))
  }

  fileprivate func text(ofChunk digest: [UInt8], after previous: String) -> String {
    "AWS4-HMAC-SHA256-PAYLOAD\n\(time.compact)\n\(key.scope.text)\n\(previous)\n"
      + "\(PayloadDigest.empty.text)\n\(hexText(digest))"
  }

  fileprivate func text(ofTrailers trailers: String, after previous: String) -> String {
    "AWS4-HMAC-SHA256-TRAILER\n\(time.compact)\n\(key.scope.text)\n\(previous)\n"
      + sha256Text(Array(trailers.utf8))
  }
}

/// How a request body is framed, according to the header `x-amz-content-sha256`.
public enum BodyFraming: Hashable, Sendable {
  /// Not framed; with the body's SHA-256 digest in hexadecimal, if the client states it.
  case plain(sha256: String?)
  /// Framed as `aws-chunked`: each chunk has a length and may have a signature; trailing headers may follow
  /// the last chunk.
  case chunked(isSigned: Bool, hasTrailer: Bool)

  /// - Parameter header: the header's value; nil if missing.
  /// - Throws: `.invalidRequest`.
  public init(contentSHA256 header: String?) throws(SignatureError) {
    switch header {
    case nil, "UNSIGNED-PAYLOAD": self = .plain(sha256: nil)
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": self = .chunked(isSigned: true, hasTrailer: false)
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": self = .chunked(isSigned: true, hasTrailer: true)
    case "STREAMING-UNSIGNED-PAYLOAD-TRAILER": self = .chunked(isSigned: false, hasTrailer: true)
    case let digits?:
      guard digits.utf8.count == 64, hexBytes(digits) != nil else {
        throw SignatureError(
          .invalidRequest,
          "x-amz-content-sha256 must be a SHA-256 digest of 64 hexadecimal digits, UNSIGNED-PAYLOAD, or one of the "
            + "STREAMING values")
      }
      self = .plain(sha256: digits.lowercased())
    }
  }
}

/// Decodes a request body from its `aws-chunked` framing as it arrives, and verifies its signatures.
///
/// Buffers at most one framing line and passes the data through, so the data must not be trusted until
/// `finish` has returned.
public struct ChunkDecoder: Sendable {
  /// In bytes; a longer line is an error.
  private static let longestLine = 8 << 10
  private static let mostTrailers = 32
  /// S3's largest object, 50 TiB.
  private static let largestByteCount = 50 << 40

  private enum State {
    case head
    case data(left: Int)
    case dataEnd, trailer, end
  }
  private var state = State.head
  private var line: [UInt8] = []
  private var signing: ChunkSigning?
  private var previous: String
  private var chunkSignature = ""
  private var digest = Digest(.sha256)
  private var signedTrailers = ""
  private let hasTrailer: Bool
  /// The number of data bytes decoded so far.
  public private(set) var byteCount = 0
  /// The headers after the last chunk, with names in lower case.
  public private(set) var trailers: [(name: String, value: String)] = []

  /// - Parameters:
  ///   - signing: nil ignores signatures.
  ///   - hasTrailer: whether trailing headers were announced.
  public init(signing: ChunkSigning?, hasTrailer: Bool) {
    self.signing = signing
    self.hasTrailer = hasTrailer
    previous = signing?.seed ?? ""
  }

  /// Decodes the next bytes of the body.
  ///
  /// - Parameter take: called with each piece of data, in order; never empty.
  /// - Throws: `.invalidChunk`, `.malformedTrailer`, `.signatureDoesNotMatch`, `.invalidRequest`.
  public mutating func decode(_ bytes: ArraySlice<UInt8>, take: (ArraySlice<UInt8>) -> Void)
    throws(SignatureError)
  {
    var rest = bytes
    while !rest.isEmpty {
      switch state {
      case .data(let left):
        let piece = rest.prefix(left)
        if signing != nil { digest.update(piece.span) }
        byteCount += piece.count
        take(piece)
        rest = rest.dropFirst(piece.count)
        state = piece.count == left ? .dataEnd : .data(left: left - piece.count)
      case .end:
        throw SignatureError(.invalidRequest, "bytes follow the end of the last chunk")
      case .head, .dataEnd, .trailer:
        let end = rest.firstIndex(of: UInt8(ascii: "\n"))
        line += rest[..<(end ?? rest.endIndex)]
        rest = end.map { rest[($0 + 1)...] } ?? []
        guard line.count <= Self.longestLine else {
          throw SignatureError(.invalidChunk, "a framing line is longer than \(Self.longestLine) bytes")
        }
        if end != nil {
          if line.last == UInt8(ascii: "\r") { line.removeLast() }
          let whole = String(decoding: line, as: UTF8.self)
          line.removeAll(keepingCapacity: true)
          try takeLine(whole)
        }
      }
    }
  }

  /// Checks that the body is complete; must be called at its end.
  ///
  /// - Parameter expected: the data length that the headers state, if they do.
  /// - Throws: `.incompleteBody`, and the errors of `decode`.
  public mutating func finish(expecting expected: Int?) throws(SignatureError) {
    // Some clients omit the empty line at the very end.
    if case .trailer = state, line.isEmpty, !hasTrailer || !trailers.isEmpty { try takeLine("") }
    guard case .end = state else {
      throw SignatureError(
        .incompleteBody, "the body ends in the middle of a chunk, after \(byteCount) bytes of data")
    }
    if let expected, expected != byteCount {
      throw SignatureError(
        .incompleteBody,
        "the body has \(byteCount) bytes of data, but x-amz-decoded-content-length is \(expected)")
    }
  }

  private mutating func takeLine(_ text: String) throws(SignatureError) {
    switch state {
    case .dataEnd:
      guard text.isEmpty else {
        throw SignatureError(.invalidChunk, "a chunk is longer than its length says")
      }
      try checkChunk()
      state = .head
    case .head: try begin(text)
    case .trailer: try takeTrailer(text)
    case .data, .end: break
    }
  }

  /// Parses a chunk header: "10000;chunk-signature=...".
  private mutating func begin(_ text: String) throws(SignatureError) {
    let parts = text.utf8.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
    let digits = String(Substring(parts[0]))
    guard (1...15).contains(digits.utf8.count), digits.utf8.allSatisfy({ hexValue($0) != nil }),
      let count = Int(digits, radix: 16), count <= Self.largestByteCount - byteCount
    else {
      throw SignatureError(
        .invalidChunk,
        "a chunk begins with '\(shown(text.prefix(40)))'; its length in hexadecimal is expected")
    }
    chunkSignature = ""
    for part in parts.dropFirst() where part.starts(with: "chunk-signature=".utf8) {
      chunkSignature = String(Substring(part.dropFirst("chunk-signature=".utf8.count)))
    }
    digest = Digest(.sha256)
    if count == 0 {
      try checkChunk()
      state = .trailer
    } else {
      state = .data(left: count)
    }
  }

  private mutating func checkChunk() throws(SignatureError) {
    guard let signing else { return }
    guard
      signing.key.isValid(
        chunkSignature, of: signing.text(ofChunk: digest.bytes, after: previous))
    else {
      throw SignatureError(
        .signatureDoesNotMatch, "the signature of the chunk that ends at byte \(byteCount) does not match")
    }
    previous = chunkSignature
  }

  /// Parses a trailing header, "x-amz-checksum-crc32:AAAAAA==", or the empty line after the last one.
  private mutating func takeTrailer(_ text: String) throws(SignatureError) {
    if text.isEmpty {
      if let signing, hasTrailer { try checkTrailers(signing) }
      state = .end
      return
    }
    guard hasTrailer else {
      throw SignatureError(.malformedTrailer, "headers follow the last chunk, but none were announced")
    }
    guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")), trailers.count < Self.mostTrailers else {
      throw SignatureError(
        .malformedTrailer, "'\(shown(text.prefix(80)))' after the last chunk is not a valid header")
    }
    let name = text[..<colon].lowercased()
    let words = text[text.utf8.index(after: colon)...].utf8.split {
      $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t")
    }
    let value = words.map { String(Substring($0)) }.joined(separator: " ")
    trailers.append((name, value))
    if name != "x-amz-trailer-signature" { signedTrailers += "\(name):\(value)\n" }
  }

  private func checkTrailers(_ signing: ChunkSigning) throws(SignatureError) {
    guard let signature = trailers.first(where: { $0.name == "x-amz-trailer-signature" })?.value,
      signing.key.isValid(signature, of: signing.text(ofTrailers: signedTrailers, after: previous))
    else {
      throw SignatureError(
        .signatureDoesNotMatch, "the signature of the headers after the last chunk does not match")
    }
  }
}
