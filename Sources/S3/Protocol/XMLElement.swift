import Files
import HTTPTypes
package import HummingbirdCore
import NIOCore

/// An element of an XML document, as far as S3 requests need it: local names, text and children.
///
/// Attributes, comments and processing instructions are skipped. A document type declaration is refused, so a
/// document cannot define entities.
package struct XMLElement: Sendable {
  /// The local name, without a namespace prefix.
  package let name: String
  package fileprivate(set) var text = ""
  package fileprivate(set) var children: [XMLElement] = []

  package func children(_ name: String) -> [XMLElement] { children.filter { hasSameBytes($0.name, name) } }
  package func child(_ name: String) -> XMLElement? { children.first { hasSameBytes($0.name, name) } }
  /// The text of the first child of this name; nil if there is none.
  package func text(_ name: String) -> String? { child(name)?.text }

  /// A limit against hostile documents; a list of 10,000 parts has about 60,000 elements.
  private static let mostElements = 100_000
  private static let deepest = 16

  /// Parses a document.
  ///
  /// - Parameter document: the whole document; the caller limits its length.
  /// - Throws: `.malformedXML`.
  package init(_ document: [UInt8]) throws(ObjectError) {
    var reader = Reader(bytes: document)
    self = try reader.document()
  }

  fileprivate init(name: String) { self.name = name }

  private struct Reader {
    let bytes: [UInt8]
    var place = 0
    var elementCount = 0

    mutating func document() throws(ObjectError) -> XMLElement {
      if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { place = 3 }
      try skipMisc()
      guard place < bytes.count else { throw malformed("there is no element") }
      let root = try element(depth: 0)
      try skipMisc()
      guard place == bytes.count else { throw malformed("something follows the last element") }
      return root
    }

    private func malformed(_ why: String) -> ObjectError {
      ObjectError(
        .malformedXML,
        "the XML you provided was not well-formed or did not validate against our published schema: byte \(place): \(why)"
      )
    }

    private func isAt(_ text: StaticString) -> Bool {
      place <= bytes.count
        && text.description.utf8.elementsEqual(bytes[place...].prefix(text.utf8CodeUnitCount))
    }

    private mutating func skip(past end: StaticString) throws(ObjectError) {
      guard let found = bytes[place...].firstRange(of: Array(end.description.utf8)) else {
        throw malformed("'\(end)' is missing")
      }
      place = found.upperBound
    }

    private mutating func skipMisc() throws(ObjectError) {
      while place < bytes.count {
        if isSpace(bytes[place]) {
          place += 1
        } else if isAt("<?") {
          try skip(past: "?>")
        } else if isAt("<!--") {
          try skip(past: "-->")
        } else {
          return
        }
      }
    }

    private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private mutating func element(depth: Int) throws(ObjectError) -> XMLElement {
      elementCount += 1
      guard depth < deepest, elementCount <= mostElements else { throw malformed("too many elements") }
      guard isAt("<"), !isAt("<!") else { throw malformed("an element is expected") }
      place += 1
      var element = XMLElement(name: try name())
      if try skipAttributes() { return element }
      var text: [UInt8] = []
      while place < bytes.count {
        if isAt("</") {
          place += 2
          guard hasSameBytes(try name(), element.name) else {
            throw malformed("</\(element.name)> is expected")
          }
          while place < bytes.count, isSpace(bytes[place]) { place += 1 }
          guard isAt(">") else { throw malformed("'>' is missing") }
          place += 1
          guard let valid = String(validating: text, as: UTF8.self) else {
            throw malformed("the text is not UTF-8")
          }
          element.text = valid
          return element
        } else if isAt("<!--") {
          try skip(past: "-->")
        } else if isAt("<?") {
          try skip(past: "?>")
        } else if isAt("<![CDATA[") {
          let start = place + 9
          try skip(past: "]]>")
          text += bytes[start..<(place - 3)]
        } else if bytes[place] == UInt8(ascii: "<") {
          element.children.append(try self.element(depth: depth + 1))
        } else if bytes[place] == UInt8(ascii: "&") {
          text += try entity()
        } else {
          text.append(bytes[place])
          place += 1
        }
      }
      throw malformed("</\(element.name)> is missing")
    }

    /// An element's local name, without its namespace prefix.
    private mutating func name() throws(ObjectError) -> String {
      let start = place
      while place < bytes.count, !isSpace(bytes[place]), ![0x2F, 0x3C, 0x3D, 0x3E].contains(bytes[place]) {
        place += 1
      }
      let whole = bytes[start..<place]
      let local = whole.lastIndex(of: UInt8(ascii: ":")).map { whole[($0 + 1)...] } ?? whole
      guard !local.isEmpty, local.count <= 100, let text = String(validating: local, as: UTF8.self) else {
        throw malformed("a name is expected")
      }
      return text
    }

    /// Skips to the end of the tag.
    ///
    /// - Returns: whether the tag is self-closing.
    private mutating func skipAttributes() throws(ObjectError) -> Bool {
      var quote: UInt8?
      while place < bytes.count {
        let byte = bytes[place]
        place += 1
        if let open = quote {
          if byte == open { quote = nil }
        } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
          quote = byte
        } else if byte == UInt8(ascii: ">") {
          return bytes[place - 2] == UInt8(ascii: "/")
        } else if byte == UInt8(ascii: "<") {
          break
        }
      }
      throw malformed("a tag does not end")
    }

    private mutating func entity() throws(ObjectError) -> [UInt8] {
      guard let end = bytes[place...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else {
        throw malformed("'&' begins nothing")
      }
      let name = String(decoding: bytes[(place + 1)..<end], as: UTF8.self)
      place = end + 1
      switch name {
      case "amp": return [0x26]
      case "lt": return [0x3C]
      case "gt": return [0x3E]
      case "quot": return [0x22]
      case "apos": return [0x27]
      default:
        let isHex = name.hasPrefix("#x")
        guard name.hasPrefix("#"), !name.contains("+"),
          let value = UInt32(name.dropFirst(isHex ? 2 : 1), radix: isHex ? 16 : 10),
          value != 0, let scalar = UnicodeScalar(value)
        else { throw malformed("&\(name); is not known") }
        return Array(String(Character(scalar)).utf8)
      }
    }
  }
}

/// Text escaped for use in XML, also within quoted attributes.
package func xmlText(_ text: String) -> String {
  var result: [UInt8] = []
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "&"): result += Array("&amp;".utf8)
    case UInt8(ascii: "<"): result += Array("&lt;".utf8)
    case UInt8(ascii: ">"): result += Array("&gt;".utf8)
    case UInt8(ascii: "\""): result += Array("&quot;".utf8)
    // Escape white space that a parser would normalize, and control characters, which XML forbids but S3
    // sends anyway.
    case 0x00..<0x20: result += Array("&#x\(String(byte, radix: 16));".utf8)
    default: result.append(byte)
    }
  }
  return String(decoding: result, as: UTF8.self)
}

/// An XML document under construction.
package struct XMLText {
  private(set) var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

  /// Appends an element with escaped text.
  package mutating func element(_ name: String, _ value: String) {
    text += "<\(name)>\(xmlText(value))</\(name)>"
  }
  package mutating func element(_ name: String, _ value: Int) { text += "<\(name)>\(value)</\(name)>" }
  package mutating func element(_ name: String, _ value: Bool) { text += "<\(name)>\(value)</\(name)>" }

  /// Appends an element whose content `body` appends.
  package mutating func element(_ name: String, _ body: (inout XMLText) throws -> Void) rethrows {
    text += "<\(name)>"
    try body(&self)
    text += "</\(name)>"
  }

  /// A document with the given root element; its XML namespace is S3's by default.
  package static func document(
    _ name: String, space: String = "http://s3.amazonaws.com/doc/2006-03-01/",
    _ body: (inout XMLText) throws -> Void
  ) rethrows -> XMLText {
    var document = XMLText()
    document.text += "<\(name) xmlns=\"\(space)\">"
    try body(&document)
    document.text += "</\(name)>"
    return document
  }

  package var responseBody: ResponseBody { ResponseBody(byteBuffer: ByteBuffer(string: text)) }

  /// A 200 response with this document.
  package var response: Response {
    Response(status: .ok, headers: [.contentType: "application/xml"], body: responseBody)
  }
}
