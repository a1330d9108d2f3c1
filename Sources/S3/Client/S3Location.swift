import Encodings
import Files

/// The location of an object, or the prefix that a request names several objects by.
///
/// A prefix is plain text, not a folder: `s3://bucket/test_output` is also a prefix of `test_output_pose/a.jpg`.
public struct S3Location: Hashable, Sendable, CustomStringConvertible {
  public let bucket: String
  /// Empty for the whole bucket.
  public let key: String

  public init(bucket: String, key: String) {
    self.bucket = bucket
    self.key = key
  }

  /// Reads `s3://bucket/key`, `https://bucket.s3.region.amazonaws.com/key` and
  /// `https://s3.region.amazonaws.com/bucket/key`.
  ///
  /// The key of an `s3://` location is taken literally; the key in a URL is percent-decoded.
  ///
  /// - Returns: nil for anything else.
  public init?(_ text: String) {
    guard let colon = text.utf8.firstRange(of: "://".utf8) else { return nil }
    let rest = text[colon.upperBound...].utf8
    let slash = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
    let host = String(text[rest.startIndex..<slash])
    let path = slash == rest.endIndex ? "" : String(text[rest.index(after: slash)...])
    guard !text.utf8.contains(0) else { return nil }
    switch text[..<colon.lowerBound].lowercased() {
    case "s3":
      guard !host.isEmpty else { return nil }
      self.init(bucket: host, key: path)
    case "https", "http":
      guard let found = Self.bucketAndKey(host: host, path: path) else { return nil }
      self.init(bucket: found.bucket, key: found.key)
    default: return nil
    }
  }

  private static func bucketAndKey(host: String, path: String) -> (bucket: String, key: String)? {
    guard let path = percentDecodedText(path), !path.utf8.contains(0) else { return nil }
    let names = host.lowercased().split(separator: ".").map { String($0) }
    guard names.count >= 3, let amazon = names.lastIndex(of: "amazonaws"),
      let service = names[..<amazon].lastIndex(where: { $0 == "s3" || $0.hasPrefix("s3-") })
    else { return nil }
    if service > 0 { return (names[..<service].joined(separator: "."), path) }
    let slash = path.utf8.firstIndex(of: UInt8(ascii: "/")) ?? path.endIndex
    guard slash != path.startIndex else { return nil }
    return (
      String(path[..<slash]), slash == path.endIndex ? "" : String(path[path.utf8.index(after: slash)...])
    )
  }

  /// Compares bytes, as S3 compares keys.
  public static func == (left: S3Location, right: S3Location) -> Bool { left.bytes == right.bytes }
  public func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
  private var bytes: ByteName { ByteName(description) }

  public var description: String { "s3://\(bucket)/\(key)" }

  /// Whether the key ends in a slash.
  public var isFolder: Bool { key.utf8.last == UInt8(ascii: "/") }

  /// The location below this one, with one slash between them.
  public func appending(_ name: String) -> S3Location {
    S3Location(bucket: bucket, key: key.isEmpty || isFolder ? key + name : "\(key)/\(name)")
  }
}
