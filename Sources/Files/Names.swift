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

/// The lines of a file of names, one a line: LF or CRLF, a byte order mark passed over, the last line's end optional.
package func nameLines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
  let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
  var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
  if lines.last?.isEmpty ?? true { lines.removeLast() }
  return lines.map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
}

/// Names in a sentence: the first of many, and how many more there are: "a, b, c, d, e and 97 more".
public func shortList(_ names: some Collection<String>, limit: Int = 5) -> String {
  let shown = names.prefix(limit).joined(separator: ", ")
  return names.count > limit ? "\(shown) and \(names.count - limit) more" : shown
}

/// How many bytes must be inserted, dropped or replaced to make one text of the other: Levenshtein's distance.
///
/// - Complexity: O(bytes of the one times those of the other): who asks sees to it that both are short.
package func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      let replaced = diagonal + (x == y ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
    }
  }
  return row[b.count]
}
