/// A `multipart/form-data` request body (RFC 7578), held in memory.
package struct MultipartForm: Sendable {
  /// One field of the form.
  package struct Part: Sendable {
    /// The name of an uploaded file on the client; nil for a text field.
    package var fileName: String?
    /// In lower case; nil if the client states none.
    package var contentType: String?
    package var bytes: [UInt8]
  }
  /// The parts by name; the first one if a name occurs more than once.
  package private(set) var parts: [String: Part] = [:]

  /// - Returns: nil if the body is not a well-formed form, or has more than 64 parts.
  package init?(_ body: [UInt8], contentType: String?) {
    guard let contentType, let boundary = Self.parameter("boundary", of: contentType), !boundary.isEmpty,
      boundary.utf8.count <= 70, contentType.lowercased().hasPrefix("multipart/form-data")
    else { return nil }
    let delimiter = Array("\r\n--\(boundary)".utf8)
    // The first delimiter has no CRLF in front of it.
    guard body.starts(with: delimiter.dropFirst(2)) else { return nil }
    var start = delimiter.count - 2
    var isClosed = false
    while !isClosed {
      let after = body[start...].prefix(2)
      if after.elementsEqual("--".utf8) {
        isClosed = true
        continue
      }
      guard after.elementsEqual("\r\n".utf8),
        let end = Self.find(delimiter, in: body, from: start), parts.count < 64
      else { return nil }
      add(body[(start + 2)..<max(start + 2, end)])
      start = end + delimiter.count
    }
  }

  /// The value of a text field, without leading and trailing spaces; nil if absent, empty or not UTF-8.
  package func text(_ name: String) -> String? {
    guard let part = parts[name], let text = String(validating: part.bytes, as: UTF8.self) else { return nil }
    let trimmed = text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
    return trimmed.isEmpty ? nil : String(trimmed)
  }

  /// An uploaded file; nil if the user chose none.
  package func file(_ name: String) -> Part? { parts[name].flatMap { $0.bytes.isEmpty ? nil : $0 } }

  private mutating func add(_ part: ArraySlice<UInt8>) {
    guard let end = Self.find(Array("\r\n\r\n".utf8), in: Array(part), from: 0) else { return }
    var name: String?
    var result = Part(bytes: Array(part.dropFirst(end + 4)))
    for line in String(decoding: part.prefix(end), as: UTF8.self).split(separator: "\r\n") {
      let lower = line.lowercased()
      if lower.hasPrefix("content-disposition:") {
        name = Self.parameter("name", of: String(line))
        result.fileName = Self.parameter("filename", of: String(line))
      } else if lower.hasPrefix("content-type:") {
        result.contentType = line.dropFirst(13).drop { $0 == " " }.lowercased()
      }
    }
    if let name, parts[name] == nil { parts[name] = result }
  }

  /// The value of the parameter `name=value` or `name="value"`; a semicolon within quotes does not end it.
  private static func parameter(_ name: String, of header: String) -> String? {
    // Compare bytes: to Swift, a quote followed by a combining mark is a different Character.
    let quote = UInt8(ascii: "\"")
    var isQuoted = false
    let pieces = header.utf8.split(omittingEmptySubsequences: false) { byte in
      if byte == quote { isQuoted.toggle() }
      return byte == UInt8(ascii: ";") && !isQuoted
    }
    for piece in pieces.dropFirst() {
      let pair = piece.drop { $0 == UInt8(ascii: " ") }
      guard let equals = pair.firstIndex(of: UInt8(ascii: "=")),
        Substring(pair[..<equals]).lowercased() == name
      else { continue }
      let value = pair[pair.index(after: equals)...]
      return String(
        Substring(value.first == quote ? value.dropFirst().prefix { $0 != quote } : value))
    }
    return nil
  }

  /// The index of `needle`, searched by its first byte, a CR, which is rare in uploaded data.
  private static func find(_ needle: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    guard let first = needle.first else { return nil }
    var place = start
    while place + needle.count <= bytes.count {
      guard let next = bytes[place...].firstIndex(of: first), next + needle.count <= bytes.count else {
        return nil
      }
      if bytes[next..<next + needle.count].elementsEqual(needle) { return next }
      place = next + 1
    }
    return nil
  }
}
