import Encodings
import HTTPTypes

/// A request in the one form that client and server agree on before they sign or check it.
struct CanonicalRequest {
  let text: String

  /// - Parameters:
  ///   - target: path and query as they stand in the request line.
  ///   - signedHeaders: their names in lower case, in the order in which they are signed.
  ///   - payload: the body's SHA-256 in hexadecimal, or one of the words that stand for it.
  /// - Throws: where a signed header is not in the request.
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

/// The target of a request line, taken apart.
package struct RequestTarget: Sendable {
  /// As it was sent.
  package let rawPath: String
  /// Names and values, decoded, in the order in which they were sent. A name without `=` has an empty value.
  package let query: [(name: [UInt8], value: [UInt8])]

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
      // What is not encoded in order stands for itself.
      return (
        percentDecoded(name, plusIsSpace: true) ?? Array(name.utf8),
        percentDecoded(value, plusIsSpace: true) ?? Array(value.utf8)
      )
    }
  }

  /// The value of a parameter's first mention, as text: what is no UTF-8 in it is replaced.
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

  /// Sorted by name and then by value; the signature itself is left out.
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
  /// A header as it is signed: values of one name joined by commas, white space trimmed and folded.
  ///
  /// - Parameter name: in lower case. `host` is found where HTTP/2 and Swift's HTTP types keep it, too.
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

/// What a client sent, for a message: printable ASCII, and not much of it.
func shown(_ text: some StringProtocol) -> String {
  String(text.unicodeScalars.prefix(200).map { (0x20..<0x7F).contains($0.value) ? Character($0) : "?" })
}
