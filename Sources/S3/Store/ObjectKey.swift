/// An object's key, which is also the path of its file within the bucket's folder.
///
/// Keys are paths so that people can put files into a bucket by hand and find objects there. Some keys that
/// S3 accepts are not usable as paths, and putting an object under one fails: keys with empty segments (a
/// leading slash, or two in a row), with a segment `.` or `..`, with a NUL, or with a segment of more than
/// 255 bytes. A key that ends in a slash is a folder; as with S3's consoles, it can only be put without
/// contents. Names that begin with a dot are ordinary.
struct ObjectKey: Hashable, Sendable {
  static let longestByteCount = 1024
  static let longestSegment = 255

  let text: String
  /// The names of the folders that lead to the object, outermost first.
  let folders: [[UInt8]]
  /// The object's name within its folder.
  let name: [UInt8]
  /// Whether the key ends in a slash.
  let isFolder: Bool

  var bytes: [UInt8] { Array(text.utf8) }

  static func == (left: ObjectKey, right: ObjectKey) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }
  func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

  /// - Throws: `.invalidArgument` or `.keyTooLong` if no object can have this key here.
  init(_ text: String) throws(ObjectError) {
    self.text = text
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty else { throw ObjectError(.invalidArgument, "the key is empty") }
    guard bytes.count <= Self.longestByteCount else {
      throw ObjectError(
        .keyTooLong, "the key has \(bytes.count) bytes; at most \(Self.longestByteCount) are allowed")
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
          "a segment of the key '\(shown(text))' has \(segment.count) bytes; keys are file paths here, so at most "
            + "\(Self.longestSegment) are allowed")
      }
      if segment.isEmpty || segment == [0x2E] || segment == [0x2E, 0x2E] || segment.contains(0) {
        throw ObjectError(
          .invalidArgument,
          "the key '\(shown(text))' is not a file path; keys here must not have empty segments, '.', '..' or NUL"
        )
      }
    }
    // There is at least one segment, because the text is not empty.
    name = segments.popLast() ?? []
    folders = segments
  }

  /// Parses a key for a look-up: a key that no object can have here is `.noSuchKey`, unless S3 would refuse
  /// it, too.
  init(existing text: String) throws(ObjectError) {
    do throws(ObjectError) {
      try self.init(text)
    } catch {
      if error.code == .keyTooLong, text.utf8.count > Self.longestByteCount { throw error }
      throw ObjectError.noSuchKey(text)
    }
  }
}

/// The rules for bucket names.
enum BucketName {
  /// - Throws: `.invalidBucketName` if S3 would refuse the name.
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
        "'\(shown(name))' is not a bucket name; 3 to 63 lower-case letters, digits, dots and hyphens are expected, "
          + "with a letter or digit at both ends")
    }
  }

  /// Whether a folder of this name can be a bucket, including folders made by hand whose names S3 would
  /// refuse.
  static func isPossible(_ name: [UInt8]) -> Bool {
    !name.isEmpty && name.count <= 255 && name[0] != UInt8(ascii: ".") && !name.contains(UInt8(ascii: "/"))
      && !name.contains(0)
  }
}
