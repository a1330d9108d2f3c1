import Encodings

/// Reads the members of a JSON object in a request by name and type, with errors in SageMaker's words.
struct RequestReader {
  private let members: [String: JSON]
  /// The object's place in the request, as in SageMaker's messages: `hyperParameterTuningJobConfig.resourceLimits`.
  let path: String

  /// - Parameter known: the names of the allowed members; nil to allow any.
  /// - Throws: `TuningError` if the value is not an object or has another member.
  init(_ value: JSON, _ path: String, known: [String]?) throws(TuningError) {
    guard case .object(let members) = value else {
      throw TuningError("\(path.isEmpty ? "The request" : path) is not a JSON object; {...} is expected")
    }
    self.members = members.filter { $0.value != .null }
    self.path = path
    guard let known else { return }
    for name in members.keys.sorted() where !known.contains(name) {
      throw TuningError(
        "Unknown parameter in \(path.isEmpty ? "input" : path): \"\(name)\", must be one of: \(known.joined(separator: ", "))"
      )
    }
  }

  var names: [String] { members.keys.sorted() }
  func has(_ name: String) -> Bool { members[name] != nil }

  func place(_ name: String) -> String {
    let camel = name.prefix(1).lowercased() + name.dropFirst()
    return path.isEmpty ? camel : "\(path).\(camel)"
  }

  func value(_ name: String) -> JSON? { members[name] }

  func text(_ name: String) throws(TuningError) -> String? {
    switch members[name] {
    case nil: return nil
    case .string(let text)?: return text
    default: throw wrongKind(name, "a string, \"...\",")
    }
  }

  /// A string or a number, as text: for members such as the bounds of a range.
  func numeral(_ name: String) throws(TuningError) -> String? {
    guard let value = members[name] else { return nil }
    guard let text = Self.numeral(value) else { throw wrongKind(name, "a string, \"...\",") }
    return text
  }

  /// Nil for what is neither text nor a number.
  static func numeral(_ value: JSON) -> String? {
    value.text ?? value.integer.map { "\($0)" } ?? value.number.map { "\($0)" }
  }

  func whole(_ name: String, _ range: ClosedRange<Int>) throws(TuningError) -> Int? {
    guard let value = members[name] else { return nil }
    guard let number = value.integer else { throw wrongKind(name, "a whole number") }
    if number < range.lowerBound {
      throw invalid(number, name, "Member must have value greater than or equal to \(range.lowerBound)")
    }
    if number > range.upperBound {
      throw invalid(number, name, "Member must have value less than or equal to \(range.upperBound)")
    }
    return number
  }

  func real(_ name: String) throws(TuningError) -> Double? {
    guard let value = members[name] else { return nil }
    guard let number = value.number else { throw wrongKind(name, "a number") }
    return number
  }

  func object(_ name: String, known: [String]? = nil) throws(TuningError) -> RequestReader? {
    guard let value = members[name] else { return nil }
    return try RequestReader(value, place(name), known: known)
  }

  func list(_ name: String) throws(TuningError) -> [JSON] {
    switch members[name] {
    case nil: return []
    case .list(let list)?: return list
    default: throw wrongKind(name, "a list, [...],")
    }
  }

  /// The objects in a list.
  func objects(_ name: String, known: [String]) throws(TuningError) -> [RequestReader] {
    var readers: [RequestReader] = []
    for (index, value) in try list(name).enumerated() {
      readers.append(try RequestReader(value, "\(place(name)).\(index + 1).member", known: known))
    }
    return readers
  }

  func required<Value>(_ value: Value?, _ name: String) throws(TuningError) -> Value {
    guard let value else {
      throw TuningError("Missing required parameter in \(path.isEmpty ? "input" : path): \"\(name)\"")
    }
    return value
  }

  func word<Word: RawRepresentable & CaseIterable>(_ name: String, _ kind: Word.Type) throws(TuningError)
    -> Word?
  where Word.RawValue == String {
    guard let text = try text(name) else { return nil }
    guard let word = Word(rawValue: text) else {
      let known = Word.allCases.map(\.rawValue).joined(separator: ", ")
      throw invalid(text, name, "Member must satisfy enum value set: [\(known)]")
    }
    return word
  }

  func invalid(_ value: Any, _ name: String, _ constraint: String) -> TuningError {
    TuningError(
      "1 validation error detected: Value '\(value)' at '\(place(name))' failed to satisfy constraint: \(constraint)"
    )
  }

  private func wrongKind(_ name: String, _ expected: String) -> TuningError {
    TuningError("\(place(name)): \(expected) is expected")
  }
}
