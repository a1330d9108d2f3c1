/// What is wrong with a JSON text, or with a value in it, and at which byte.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
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
    /// The object has no such key.
    case missingKey(String)
    /// The value is of the right kind, but not one of those that are expected; a sentence.
    case refused(String)
  }
  public let reason: Reason
  /// The faulty byte, counted from the first of the text.
  public let offset: Int
  /// Where the value is that does not fit, as in "nodes[3].name"; empty for the outermost value, and where the text is
  /// not JSON at all.
  public let path: String

  public init(_ reason: Reason, offset: Int, path: String = "") {
    self.reason = reason
    self.offset = offset
    self.path = path
  }

  public var description: String {
    // What a type says of a whole text has no place in it.
    if case .refused(let sentence) = reason, path.isEmpty { return sentence }
    return "byte \(offset): \(sentence)"
  }

  /// The reason without the byte.
  public var sentence: String { path.isEmpty ? reason.sentence : "\(path): \(reason.sentence)" }

  /// The line of the faulty byte, from 1, for a text that people write.
  public func line(in text: [UInt8]) -> Int {
    text.prefix(offset).count { $0 == UInt8(ascii: "\n") } + 1
  }
}

extension JSONError {
  /// A key for a message: a long one is cut short.
  static func shown(_ key: String) -> String {
    key.utf8.count <= 120 ? nameText(key.utf8) : nameText(key.prefix(100).utf8) + "..."
  }
}

extension JSONError.Reason {
  fileprivate var sentence: String {
    switch self {
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
    case .missingKey(let key): "the key \"\(key)\" is missing"
    case .refused(let sentence): sentence
    }
  }
}
