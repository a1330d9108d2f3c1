/// The local path that a manifest's reference names: a path, or a URL that begins with `file://`.
///
/// - Throws: `.scheme` for a place that is not on this machine, such as `s3://`; `.malformed`.
package func localPath(ofReference reference: String) throws(ReferenceFault) -> String {
  guard !reference.utf8.contains(0) else { throw .malformed }
  guard let scheme = reference.utf8.firstRange(of: "://".utf8) else { return reference }
  let name = reference[..<scheme.lowerBound].lowercased()
  guard name == "file" else { throw .scheme(name) }
  let rest = reference[scheme.upperBound...]
  guard rest.utf8.first == UInt8(ascii: "/"), let path = percentDecoded(rest) else { throw .malformed }
  return path
}

/// Why a reference names no file of this machine.
package enum ReferenceFault: Error, Hashable, Sendable {
  case scheme(String)
  case malformed
}

/// A URL's path as the file system has it; nil where a `%` is not followed by two hex digits, or what comes out is no
/// UTF-8, or names no file for a NUL in it.
private func percentDecoded(_ text: Substring) -> String? {
  var bytes: [UInt8] = []
  var rest = text.utf8[...]
  while let byte = rest.popFirst() {
    guard byte == UInt8(ascii: "%") else {
      bytes.append(byte)
      continue
    }
    let digits = String(Substring(rest.prefix(2)))
    guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit), let value = UInt8(digits, radix: 16) else {
      return nil
    }
    bytes.append(value)
    rest = rest.dropFirst(2)
  }
  return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
}
