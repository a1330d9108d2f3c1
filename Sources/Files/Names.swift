/// A name that comes from outside the program (a path, an object key, an id, a class), compared byte by byte.
///
/// Swift's `String` treats canonically equivalent spellings as equal: "é" as one code point, and "e" with a combining
/// accent. A file system, S3 and MXNet do not. Sets, dictionaries and sorted lists of names from outside therefore hold
/// `ByteName`s; single comparisons use `hasSameBytes`, `hasBytePrefix` and `hasByteSuffix`.
public struct ByteName: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The name, its bytes unchanged.
  public let text: String

  /// Keeps the bytes of `text` as they are; nothing is normalized.
  public init(_ text: some StringProtocol) { self.text = String(text) }

  /// The name itself.
  public var description: String { text }

  /// Whether the bytes are equal.
  public static func == (left: ByteName, right: ByteName) -> Bool { hasSameBytes(left.text, right.text) }

  /// Orders names by code point, as Python does. UTF-8 bytes have the same order.
  public static func < (left: ByteName, right: ByteName) -> Bool { precedes(left.text, right.text) }

  public func hash(into hasher: inout Hasher) {
    unsafe text.utf8.span.withUnsafeBufferPointer { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}

extension ByteName: ExpressibleByStringLiteral {
  public init(stringLiteral text: String) { self.text = text }
}

/// Whether the UTF-8 bytes of both texts are the same.
public func hasSameBytes(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool {
  left.utf8.elementsEqual(right.utf8)
}

/// Whether `left` sorts before `right` by code point, as in Python. UTF-8 bytes have the same order.
public func precedes(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool {
  left.utf8.lexicographicallyPrecedes(right.utf8)
}

extension StringProtocol {
  /// Whether the text begins with the UTF-8 bytes of `prefix`.
  public func hasBytePrefix(_ prefix: some StringProtocol) -> Bool { utf8.starts(with: prefix.utf8) }

  /// Whether the text ends with the UTF-8 bytes of `suffix`.
  public func hasByteSuffix(_ suffix: some StringProtocol) -> Bool {
    utf8.reversed().starts(with: suffix.utf8.reversed())
  }
}

/// The lines of a file that holds one name per line.
///
/// Lines end with LF or CRLF; the last one may lack its end. A UTF-8 byte order mark at the start is skipped.
package func nameLines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
  let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
  var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
  if lines.last?.isEmpty ?? true { lines.removeLast() }
  return lines.map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
}

/// Names for a sentence: the first `limit` of them and the number of the others, "a, b, c, d, e and 97 more".
public func shortList(_ names: some Collection<String>, limit: Int = 5) -> String {
  let shown = names.prefix(limit).joined(separator: ", ")
  return names.count > limit ? "\(shown) and \(names.count - limit) more" : shown
}

/// The Levenshtein distance of two texts: how many bytes must be inserted, removed or replaced to turn one into the
/// other.
///
/// - Complexity: O(`a.count` * `b.count`), so the caller keeps both short.
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
