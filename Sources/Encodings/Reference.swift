/// The local path that a manifest's reference names: a path as it stands, or a URL that begins with `file://`, its
/// percent escapes decoded.
///
/// - Throws: `.scheme` for a place that is not on this machine, such as `s3://`; `.malformed` for a `file:` URL
///   without an absolute path, with a broken escape, or whose path is not UTF-8; and for a NUL, which no path can
///   hold.
package func localPath(ofReference reference: String) throws(ReferenceFault) -> String {
  guard !reference.utf8.contains(0) else { throw .malformed }
  guard let scheme = reference.utf8.firstRange(of: "://".utf8) else { return reference }
  let name = reference[..<scheme.lowerBound].lowercased()
  guard name == "file" else { throw .scheme(name) }
  let rest = reference[scheme.upperBound...]
  guard rest.utf8.first == UInt8(ascii: "/"), let path = percentDecodedText(rest), !path.utf8.contains(0)
  else { throw .malformed }
  return path
}

/// Why a reference names no file on this machine.
package enum ReferenceFault: Error, Hashable, Sendable {
  /// The URL's scheme, in lower case: "s3".
  case scheme(String)
  case malformed
}
