import Encodings
import HTTPTypes

/// The canonical request of Signature Version 4, the form in which client and server sign or verify a
/// request.
struct CanonicalRequest {
  let text: String

  /// - Parameters:
  ///   - signedHeaders: lower-case names, in the order in which they are signed.
  ///   - payload: the body's SHA-256 digest in hexadecimal, or a word that stands for it, such as
  ///     UNSIGNED-PAYLOAD.
  /// - Throws: `.signatureDoesNotMatch` if a signed header is missing.
  init(_ request: HTTPRequest, rules: SigningRules, signedHeaders: [String], payload: String)
    throws(SignatureError)
  {
    let target = RequestTarget(request.path ?? "/")
    var lines = [request.method.rawValue, target.canonicalPath(rules), target.canonicalQuery]
    for name in signedHeaders {
      guard let value = request.headerValue(name) else {
        throw SignatureError(
          .signatureDoesNotMatch, "the signed header '\(shown(name))' is not in the request")
      }
      lines.append("\(name):\(value)")
    }
    lines += ["", signedHeaders.joined(separator: ";"), payload]
    text = lines.joined(separator: "\n")
  }
}

/// The target of a request line, split into its path and query.
package struct RequestTarget: Sendable {
  /// The path as it was sent, percent-encoded.
  package let rawPath: String
  /// The decoded names and values, in the order in which they were sent. A name without `=` has an empty
  /// value.
  package let query: [(name: [UInt8], value: [UInt8])]

  /// - Parameter target: the path and query as they stand in the request line.
  package init(_ target: String) {
    let utf8 = target.utf8
    guard let mark = utf8.firstIndex(of: UInt8(ascii: "?")) else {
      rawPath = target
      query = []
      return
    }
    rawPath = String(target[..<mark])
    query = target[utf8.index(after: mark)...].utf8.split(separator: UInt8(ascii: "&")).map { pair in
      let equals = pair.firstIndex(of: UInt8(ascii: "="))
      let name = Substring(pair[..<(equals ?? pair.endIndex)])
      let value = equals.map { Substring(pair[pair.index(after: $0)...]) } ?? ""
      // A name or value with malformed percent-encoding is taken literally.
      return (
        percentDecoded(name, plusIsSpace: true) ?? Array(name.utf8),
        percentDecoded(value, plusIsSpace: true) ?? Array(value.utf8)
      )
    }
  }

  /// The first value of a query parameter, with invalid UTF-8 replaced; nil if missing.
  package func value(_ name: String) -> String? {
    query.first { $0.name.elementsEqual(name.utf8) }.map { String(decoding: $0.value, as: UTF8.self) }
  }

  func canonicalPath(_ rules: SigningRules) -> String {
    switch rules {
    case .s3:
      let path = rawPath.isEmpty ? "/" : rawPath
      return percentDecoded(path).map { percentEncoded($0, keepingSlash: true) } ?? path
    case .general:
      var segments: [Substring.UTF8View] = []
      for segment in Substring(rawPath).utf8.split(separator: UInt8(ascii: "/")) {
        if segment.elementsEqual("..".utf8) {
          _ = segments.popLast()
        } else if !segment.elementsEqual(".".utf8) {
          segments.append(segment)
        }
      }
      let path = "/" + segments.map { percentEncoded($0) }.joined(separator: "/")
      return !segments.isEmpty && rawPath.utf8.last == UInt8(ascii: "/") ? path + "/" : path
    }
  }

  /// The canonical query string: sorted by name and then by value, without the signature itself.
  var canonicalQuery: String {
    query.filter { !$0.name.elementsEqual("X-Amz-Signature".utf8) }
      .map { (percentEncoded($0.name), percentEncoded($0.value)) }
      .sorted { left, right in
        left.0 == right.0
          ? left.1.utf8.lexicographicallyPrecedes(right.1.utf8)
          : left.0.utf8.lexicographicallyPrecedes(right.0.utf8)
      }
      .map { "\($0.0)=\($0.1)" }.joined(separator: "&")
  }
}

extension HTTPRequest {
  /// A header value in canonical form: multiple values joined by commas, white space trimmed and collapsed.
  ///
  /// - Parameter name: in lower case. `host` falls back to the request's authority.
  /// - Returns: nil if the request has no such header.
  func headerValue(_ name: String) -> String? {
    guard let field = HTTPField.Name(name) else { return nil }
    var values = headerFields[values: field]
    if values.isEmpty, name == "host", let authority { values = [authority] }
    guard !values.isEmpty else { return nil }
    return values.map { value in
      Substring(value).utf8.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        .map { String(Substring($0)) }.joined(separator: " ")
    }.joined(separator: ",")
  }
}

/// Client-supplied text for use in a message: at most 200 characters, non-ASCII and control characters as
/// `?`.
func shown(_ text: some StringProtocol) -> String {
  String(text.unicodeScalars.prefix(200).map { (0x20..<0x7F).contains($0.value) ? Character($0) : "?" })
}
