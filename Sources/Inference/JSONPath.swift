package import Encodings

/// Why a text is not a JSONPath that transform jobs accept, or why it selects nothing; a sentence.
package struct JSONPathError: Error, Hashable, Sendable, CustomStringConvertible {
  package let description: String

  package init(description: String) { self.description = description }
}

/// The subset of JSONPath that SageMaker's filters support: `$`, `.name`, `['name', 'other']`, `[0, 2]`, `[-1]`, `[1:3]`, `*`.
package struct JSONPath: Hashable, Sendable {
  package enum Step: Hashable, Sendable {
    case names([String])
    case indices([Int])
    case slice(Int?, Int?)
    case all
  }
  package let steps: [Step]

  package init(_ text: String) throws(JSONPathError) {
    // By scalars: a combining mark after a dot or a bracket belongs to the name, not to the delimiter.
    var rest = text[...].unicodeScalars
    guard rest.popFirst() == "$" else { throw JSONPathError(description: "a JSONPath begins with $") }
    var steps: [Step] = []
    while let first = rest.popFirst() {
      switch first {
      case ".":
        let name = rest.prefix { $0 != "." && $0 != "[" }
        guard !name.isEmpty else { throw JSONPathError(description: "a name is expected after a dot") }
        rest = rest[name.endIndex...]
        steps.append(String(name) == "*" ? .all : .names([String(name)]))
      case "[":
        let inside = Substring(rest)
        guard let end = Self.end(of: inside) else {
          throw JSONPathError(description: "a ] is missing")
        }
        steps.append(try Self.step(inside[..<end]))
        rest = rest[rest.index(after: end)...]
      default: throw JSONPathError(description: "a dot or a [ is expected instead of \(first)")
      }
    }
    self.steps = steps
  }

  /// The first closing bracket outside quotes.
  private static func end(of text: Substring) -> Substring.Index? {
    var isQuoted = false
    for index in text.unicodeScalars.indices {
      if text.unicodeScalars[index] == "'" { isQuoted.toggle() }
      if text.unicodeScalars[index] == "]" && !isQuoted { return index }
    }
    return nil
  }

  private static func step(_ text: Substring) throws(JSONPathError) -> Step {
    if let names = try names(text) { return .names(names) }
    let text = text.filter { $0 != " " }
    if text == "*" { return .all }
    if text.contains(":") {
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      let bounds = parts.map { Int($0) }
      guard parts.count == 2, zip(parts, bounds).allSatisfy({ $0.isEmpty || $1 != nil }) else {
        throw JSONPathError(description: "a range such as [1:3] is expected")
      }
      return .slice(bounds[0], bounds[1])
    }
    let indices = text.split(separator: ",").map { Int($0) }
    guard !indices.isEmpty, !indices.contains(nil) else {
      throw JSONPathError(description: "numbers, names in quotes, a range or * are expected in [\(text)]")
    }
    return .indices(indices.compactMap(\.self))
  }

  /// Quoted names separated by commas, each taken literally; nil if the text does not begin with a quote.
  private static func names(_ text: Substring) throws(JSONPathError) -> [String]? {
    var rest = text.unicodeScalars.drop { $0 == " " }
    guard rest.first == "'" else { return nil }
    var names: [String] = []
    while rest.popFirst() == "'", let end = rest.firstIndex(of: "'"), end != rest.startIndex {
      names.append(String(rest[..<end]))
      rest = rest[rest.index(after: end)...]
      rest = rest.drop { $0 == " " }
      if rest.isEmpty { return names }
      guard rest.popFirst() == "," else { break }
      rest = rest.drop { $0 == " " }
    }
    throw JSONPathError(description: "names in quotes are expected, such as ['a','b']")
  }

  /// The selected value; a list of the selected values if a step of the path can select several.
  ///
  /// - Throws: if an index is out of range or a member does not exist.
  package func select(from value: JSON) throws(JSONPathError) -> JSON {
    var found = [value]
    var isOne = true
    for step in steps {
      var next: [JSON] = []
      for value in found { next += try Self.children(of: value, step) }
      found = next
      switch step {
      case .names(let names) where names.count == 1: break
      case .indices(let indices) where indices.count == 1: break
      default: isOne = false
      }
    }
    return isOne ? found.first ?? .null : .list(found)
  }

  private static func children(of value: JSON, _ step: Step) throws(JSONPathError) -> [JSON] {
    switch step {
    case .all: return value.list ?? value.object?.sorted { $0.key < $1.key }.map(\.value) ?? []
    case .names(let names):
      var found: [JSON] = []
      for name in names {
        guard let member = value.object?[name] else {
          throw JSONPathError(description: "there is no member '\(name)'")
        }
        found.append(member)
      }
      return found
    case .indices(let indices):
      let elements = value.list ?? []
      var found: [JSON] = []
      for index in indices {
        let place = index < 0 ? elements.count.advanced(by: max(index, -elements.count - 1)) : index
        guard elements.indices.contains(place) else {
          throw JSONPathError(
            description: "the index \(index) is out of range: there are \(elements.count) elements")
        }
        found.append(elements[place])
      }
      return found
    case .slice(let from, let to):
      let elements = value.list ?? []
      func bound(_ given: Int?, _ otherwise: Int) -> Int {
        guard let given else { return otherwise }
        return given < 0 ? max(0, elements.count + max(given, -elements.count)) : min(given, elements.count)
      }
      let (start, end) = (bound(from, 0), bound(to, elements.count))
      return start < end ? Array(elements[start..<end]) : []
    }
  }
}
