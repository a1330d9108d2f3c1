import Encodings

/// How the chunks of a body are signed: each signature is made from the one before.
public struct ChunkSigning: Sendable {
  let key: SigningKey
  let time: UTCTime
  let seed: String

  /// What the first chunk's signature is made from.
  package var first: String { seed }

  /// - Parameter previous: the signature of the chunk before, or `first`.
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

/// How Amazon's `x-amz-content-sha256` says that a body is sent.
public enum BodyFraming: Hashable, Sendable {
  /// As it is; the digest to compare with, in hexadecimal, if there is one.
  case plain(sha256: String?)
  /// In chunks with a length each (`aws-chunked`); perhaps each with a signature; perhaps with headers after the last.
  case chunked(isSigned: Bool, hasTrailer: Bool)

  /// - Parameter header: nil where there is none.
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
            + "STREAMING words")
      }
      self = .plain(sha256: digits.lowercased())
    }
  }
}

/// Takes a body out of its `aws-chunked` framing, piece by piece as it comes, and checks its signatures.
///
/// It holds no more than one line of the framing; the data go on as they come. So what was handed on is to be trusted
/// only when `finish` has returned.
public struct ChunkDecoder: Sendable {
  /// A line that is longer is no line of this framing.
  private static let longestLine = 8 << 10
  private static let mostTrailers = 32
  /// The largest object there can be: 50 TiB.
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
  /// Bytes of data so far.
  public private(set) var byteCount = 0
  /// The headers after the last chunk, names in lower case.
  public private(set) var trailers: [(name: String, value: String)] = []

  /// - Parameter signing: nil: signatures, where there are some, are not looked at.
  public init(signing: ChunkSigning?, hasTrailer: Bool) {
    self.signing = signing
    self.hasTrailer = hasTrailer
    previous = signing?.seed ?? ""
  }

  /// - Parameter take: gets the data among the bytes, in order; never an empty piece.
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
          throw SignatureError(.invalidChunk, "a chunk begins with a line that is too long")
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

  /// To be called when the body is over.
  ///
  /// - Parameter expected: the length that the request's head promised, if it did.
  public mutating func finish(expecting expected: Int?) throws(SignatureError) {
    // Some clients leave out the empty line at the very end.
    if case .trailer = state, line.isEmpty, !hasTrailer || !trailers.isEmpty { try takeLine("") }
    guard case .end = state else {
      throw SignatureError(
        .incompleteBody, "the body ends in the middle of a chunk, after \(byteCount) bytes of data")
    }
    if let expected, expected != byteCount {
      throw SignatureError(
        .incompleteBody,
        "the body has \(byteCount) bytes of data, and x-amz-decoded-content-length says \(expected)")
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

  /// "10000;chunk-signature=..."
  private mutating func begin(_ text: String) throws(SignatureError) {
    let parts = text.utf8.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
    let digits = String(Substring(parts[0]))
    guard (1...15).contains(digits.utf8.count), digits.utf8.allSatisfy({ hexValue($0) != nil }),
      let count = Int(digits, radix: 16), count <= Self.largestByteCount - byteCount
    else {
      throw SignatureError(
        .invalidChunk, "a chunk begins with '\(shown(text.prefix(40)))', not with its length")
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
        .signatureDoesNotMatch, "the signature of the chunk that ends at byte \(byteCount) is not right")
    }
    previous = chunkSignature
  }

  /// "x-amz-checksum-crc32:AAAAAA==", or the empty line after the last of them.
  private mutating func takeTrailer(_ text: String) throws(SignatureError) {
    if text.isEmpty {
      if let signing, hasTrailer { try checkTrailers(signing) }
      state = .end
      return
    }
    guard hasTrailer else {
      throw SignatureError(.malformedTrailer, "headers follow the last chunk unannounced")
    }
    guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")), trailers.count < Self.mostTrailers else {
      throw SignatureError(.malformedTrailer, "'\(shown(text.prefix(80)))' after the last chunk is no header")
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
        .signatureDoesNotMatch, "the signature of the headers after the last chunk is not right")
    }
  }
}
