/// A name that comes from outside the program (a path, an object key, an id, a class), compared byte by byte.
///
/// Swift's `String` takes canonically equivalent spellings for equal: "é" as one code point and as "e" with an accent.
/// A file system, S3 and MXNet do not. Every set, dictionary and sort of names from outside is therefore one of
/// `ByteName`s; single comparisons use `hasSameBytes`, `hasBytePrefix` and `hasByteSuffix`.
public struct ByteName: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let text: String

  public init(_ text: some StringProtocol) { self.text = String(text) }

  public var description: String { text }

  public static func == (left: ByteName, right: ByteName) -> Bool { hasSameBytes(left.text, right.text) }

  /// By code point, which is the order of the UTF-8 bytes and Python's.
  public static func < (left: ByteName, right: ByteName) -> Bool { precedes(left.text, right.text) }

  public func hash(into hasher: inout Hasher) {
    unsafe text.utf8.span.withUnsafeBufferPointer { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}

extension ByteName: ExpressibleByStringLiteral {
  public init(stringLiteral text: String) { self.text = text }
}

/// Whether both texts are the same bytes in UTF-8.
public func hasSameBytes(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool {
  left.utf8.elementsEqual(right.utf8)
}

/// Whether `left` stands before `right` by code point, Python's order, which is that of the UTF-8 bytes.
public func precedes(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool {
  left.utf8.lexicographicallyPrecedes(right.utf8)
}

extension StringProtocol {
  /// Whether the text begins with the bytes of `prefix`.
  public func hasBytePrefix(_ prefix: some StringProtocol) -> Bool { utf8.starts(with: prefix.utf8) }

  /// Whether the text ends in the bytes of `suffix`.
  public func hasByteSuffix(_ suffix: some StringProtocol) -> Bool {
    utf8.reversed().starts(with: suffix.utf8.reversed())
  }
}
