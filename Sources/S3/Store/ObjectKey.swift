/// An object's key, and the path in its bucket's folder that it is.
///
/// A key is a path here, so that people can put files into a bucket by hand and find them there. S3 takes some keys that
/// are no paths; they are refused when an object is put: keys with empty segments (a leading slash, two in a row), with
/// `.` or `..` as a segment, with a NUL, or with a segment of more than 255 bytes. A key that ends in a slash is a
/// folder; it can be put without contents only, as the consoles of S3 do. Names that begin with a dot are ordinary.
struct ObjectKey: Hashable, Sendable {
  static let longestByteCount = 1024
  static let longestSegment = 255

  let text: String
  /// The folders that lead to it.
  let folders: [[UInt8]]
  /// Its name in the last folder.
  let name: [UInt8]
  /// The key ends in a slash.
  let isFolder: Bool

  var bytes: [UInt8] { Array(text.utf8) }

  static func == (left: ObjectKey, right: ObjectKey) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }
  func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

  /// - Throws: the reason for which no object can have this key here.
  init(_ text: String) throws(ObjectError) {
    self.text = text
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty else { throw ObjectError(.invalidArgument, "the key is empty") }
    guard bytes.count <= Self.longestByteCount else {
      throw ObjectError(.keyTooLong, "the key has \(bytes.count) bytes; \(Self.longestByteCount) are allowed")
    }
    isFolder = bytes.last == UInt8(ascii: "/")
    let path = isFolder ? bytes.dropLast() : bytes[...]
    var segments = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map {
      Array($0)
    }
    for segment in segments {
      if segment.count > Self.longestSegment {
        throw ObjectError(
          .keyTooLong,
          "a name in the key '\(shown(text))' has \(segment.count) bytes; keys are paths of files here, and "
            + "\(Self.longestSegment) are allowed")
      }
      if segment.isEmpty || segment == [0x2E] || segment == [0x2E, 0x2E] || segment.contains(0) {
        throw ObjectError(
          .invalidArgument,
          "the key '\(shown(text))' is no path of a file: keys are paths here, without empty names, '.', '..' and NUL"
        )
      }
    }
    // One segment at least: what is not empty splits into some.
    name = segments.popLast() ?? []
    folders = segments
  }

  /// The key for a look-up: one that can be no object's is nobody's, as long as S3 would take it.
  init(existing text: String) throws(ObjectError) {
    do throws(ObjectError) {
      try self.init(text)
    } catch {
      if error.code == .keyTooLong, text.utf8.count > Self.longestByteCount { throw error }
      throw ObjectError.noSuchKey(text)
    }
  }
}

/// The names that S3 gives buckets.
enum BucketName {
  /// - Throws: where the name is not one that S3 would take.
  static func check(_ name: String) throws(ObjectError) {
    let bytes = Array(name.utf8)
    let isPlain = bytes.allSatisfy {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
    }
    let ends = [bytes.first, bytes.last]
    let isAddress =
      name.utf8.split(separator: UInt8(ascii: ".")).count == 4 && bytes.allSatisfy { $0 < 0x3A && $0 != 0x2D }
    guard (3...63).contains(bytes.count), isPlain, !ends.contains(UInt8(ascii: "-")),
      !ends.contains(UInt8(ascii: ".")),
      !name.contains(".."), !isAddress
    else {
      throw ObjectError(
        .invalidBucketName,
        "'\(shown(name))' is no name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens are, with a "
          + "letter or digit at both ends")
    }
  }

  /// Whether a folder of this name may be a bucket: also where someone made it by hand with a name S3 would not take.
  static func isPossible(_ name: [UInt8]) -> Bool {
    !name.isEmpty && name.count <= 255 && name[0] != UInt8(ascii: ".") && !name.contains(UInt8(ascii: "/"))
      && !name.contains(0)
  }
}
