import Encodings

/// JSON for a script element of type application/json: nothing in it can end the element or look like markup,
/// and what cannot be seen is made visible.
struct EmbeddedJSON {
  private(set) var text = ""
  private var needsComma = false

  mutating func object(_ body: (inout EmbeddedJSON) -> Void) { nest("{", "}", body) }
  mutating func array(_ body: (inout EmbeddedJSON) -> Void) { nest("[", "]", body) }

  mutating func key(_ name: String) {
    string(name)
    text += ":"
    needsComma = false
  }

  mutating func integer(_ value: Int) {
    separate()
    text += String(value)
  }

  mutating func integers(_ values: some Sequence<Int>) {
    array { json in for value in values { json.integer(value) } }
  }

  mutating func strings(_ values: some Sequence<String>) {
    array { json in for value in values { json.string(value) } }
  }

  mutating func string(_ value: String) {
    separate()
    text += "\""
    for scalar in printable(value).unicodeScalars {
      switch scalar {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "<", ">", "&", "'": escape(scalar.value)
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }

  private mutating func escape(_ value: UInt32) {
    let digits = String(value, radix: 16)
    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
  }

  private mutating func nest(_ open: String, _ close: String, _ body: (inout EmbeddedJSON) -> Void) {
    separate()
    text += open
    needsComma = false
    body(&self)
    text += close
    needsComma = true
  }

  private mutating func separate() {
    if needsComma { text += "," }
    needsComma = true
  }
}
