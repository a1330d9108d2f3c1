import Foundation

/// What a browser's parser would find in a page: its elements and attributes, read as HTML's tokeniser does.
struct PageReader {
  struct Element {
    let name: String
    let attributes: [(name: String, value: String)]
  }
  private(set) var elements: [Element] = []
  /// The text of each style and script element.
  private(set) var rawTexts: [(element: Element, text: String)] = []

  init(_ html: String) {
    let bytes = Array(html.utf8)
    var place = 0
    while let open = bytes[place...].firstIndex(of: UInt8(ascii: "<")) {
      place = open + 1
      guard place < bytes.count else { return }
      let next = Character(Unicode.Scalar(bytes[place]))
      if next == "!" || next == "/" {
        // A comment would hide what is in it: pages have none.
        place = (bytes[place...].firstIndex(of: UInt8(ascii: ">")) ?? bytes.count - 1) + 1
        continue
      }
      guard next.isLetter else { continue }
      let element = Self.element(bytes, &place)
      elements.append(element)
      if element.name == "style" || element.name == "script" {
        let end = Self.end(of: element.name, bytes, place)
        rawTexts.append((element, String(decoding: bytes[place..<end], as: UTF8.self)))
        place = end
      }
    }
  }

  private static func element(_ bytes: [UInt8], _ place: inout Int) -> Element {
    let blanks = Set(" \t\n\r\u{c}".utf8)
    func word(until stops: Set<UInt8>) -> String {
      let start = place
      while place < bytes.count && !stops.contains(bytes[place]) { place += 1 }
      return String(decoding: bytes[start..<place], as: UTF8.self)
    }
    let name = word(until: blanks.union(Set("/>".utf8))).lowercased()
    var attributes: [(name: String, value: String)] = []
    while place < bytes.count && bytes[place] != UInt8(ascii: ">") {
      if blanks.contains(bytes[place]) || bytes[place] == UInt8(ascii: "/") {
        place += 1
        continue
      }
      let attribute = word(until: blanks.union(Set("=/>".utf8))).lowercased()
      var value = ""
      if place < bytes.count && bytes[place] == UInt8(ascii: "=") {
        place += 1
        if place < bytes.count, bytes[place] == UInt8(ascii: "\"") || bytes[place] == UInt8(ascii: "'") {
          let quote = bytes[place]
          place += 1
          value = word(until: [quote])
          place += 1
        } else {
          value = word(until: blanks.union(Set(">".utf8)))
        }
      }
      attributes.append((attribute, value))
    }
    place += 1
    return Element(name: name, attributes: attributes)
  }

  private static func end(of name: String, _ bytes: [UInt8], _ start: Int) -> Int {
    let mark = Array("</\(name)".utf8)
    var place = start
    while place + mark.count <= bytes.count {
      if bytes[place] == mark[0],
        String(decoding: bytes[place..<place + mark.count], as: UTF8.self).lowercased() == "</\(name)"
      {
        return place
      }
      place += 1
    }
    return bytes.count
  }
}

/// The text of a page as it was before it was escaped.
func unescaped(_ html: String) -> String {
  html.replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&quot;", with: "\"")
    .replacing("&#39;", with: "'").replacing("&amp;", with: "&")
}
