/// What is wrong with a JSON text, and at which byte.
public struct JSONFault: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// Nothing, or nothing but blanks.
    case empty
    /// U+FEFF in UTF-8 or UTF-16: "implementations must not add a byte order mark" (RFC 8259, 8.1).
    case byteOrderMark
    /// The text ends where this is expected.
    case ends(expected: String)
    /// This stands where something else is expected.
    case found(String, expected: String)
    case notUTF8
    case controlCharacter(UInt8)
    case badEscape
    case loneSurrogate
    /// Arrays and objects inside one another, more than `JSONScanner.maximumDepth`.
    case tooDeep
    /// The number is finite, but no double is near it.
    case beyondDouble(String)
    case repeatedKey(String)
  }
  public let reason: Reason
  /// The faulty byte, counted from the first of the text.
  public let offset: Int

  public init(_ reason: Reason, offset: Int) {
    self.reason = reason
    self.offset = offset
  }

  public var description: String { "byte \(offset): \(sentence)" }

  /// The reason alone, without the place.
  public var sentence: String {
    switch reason {
    case .empty: "there is no JSON, the text is empty"
    case .byteOrderMark: "a byte order mark, which JSON must not have"
    case .ends(let expected): "the text ends where \(expected) is expected"
    case .found(let text, let expected): "'\(text)' where \(expected) is expected"
    case .notUTF8: "a string is not UTF-8"
    case .controlCharacter(let byte): "a string holds control character \(byte) unescaped"
    case .badEscape: "a backslash is followed by none of JSON's escapes"
    case .loneSurrogate: "half of a surrogate pair is escaped without the other half"
    case .tooDeep: "arrays and objects are nested more than \(JSONScanner.maximumDepth) deep"
    case .beyondDouble(let text): "the number \(text) is larger than a double can be"
    case .repeatedKey(let key): "the key \"\(key)\" stands twice in one object"
    }
  }
}
