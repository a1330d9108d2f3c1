import FoundationEssentials

/// Any JSON.
public enum JSONValue: Hashable, Sendable, Codable {
  case null
  case truth(Bool)
  case whole(Int)
  case real(Double)
  case text(String)
  case list([JSONValue])
  case object([String: JSONValue])

  public init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let truth = try? value.decode(Bool.self) {
      self = .truth(truth)
    } else if let whole = try? value.decode(Int.self) {
      self = .whole(whole)
    } else if let real = try? value.decode(Double.self) {
      self = .real(real)
    } else if let text = try? value.decode(String.self) {
      self = .text(text)
    } else if let list = try? value.decode([JSONValue].self) {
      self = .list(list)
    } else {
      self = .object(try value.decode([String: JSONValue].self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .truth(let truth): try container.encode(truth)
    case .whole(let whole): try container.encode(whole)
    case .real(let real): try container.encode(real)
    case .text(let text): try container.encode(text)
    case .list(let list): try container.encode(list)
    case .object(let members): try container.encode(members)
    }
  }

  /// - Throws: where the bytes are no JSON, in a sentence that does not name the file.
  public init(json: [UInt8]) throws(TuningError) {
    do {
      self = try JSONDecoder().decode(JSONValue.self, from: Data(json))
    } catch {
      throw TuningError("this is no JSON document, such as {\"HyperParameterTuningJobName\": \"first\", ...}")
    }
  }

  /// A member of an object; nil where there is none, also for null.
  public subscript(_ name: String) -> JSONValue? {
    guard case .object(let members) = self, let member = members[name], member != .null else { return nil }
    return member
  }
}

/// A structure of a request, whose members are taken by name and kind.
struct RequestReader {
  private let members: [String: JSONValue]
  /// As SageMaker's sentences name it: `hyperParameterTuningJobConfig.resourceLimits`.
  let path: String

  /// - Parameter known: the members that there may be. Nil: any.
  init(_ value: JSONValue, _ path: String, known: [String]?) throws(TuningError) {
    guard case .object(let members) = value else {
      throw TuningError("\(path.isEmpty ? "The request" : path) is no JSON object; {...} is expected")
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

  func value(_ name: String) -> JSONValue? { members[name] }

  func text(_ name: String) throws(TuningError) -> String? {
    switch members[name] {
    case nil: return nil
    case .text(let text)?: return text
    default: throw wrongKind(name, "a string, \"...\",")
    }
  }

  /// Text, where a number is as good: as a range's bound.
  func numeral(_ name: String) throws(TuningError) -> String? {
    switch members[name] {
    case nil: return nil
    case .text(let text)?: return text
    case .whole(let number)?: return "\(number)"
    case .real(let number)?: return "\(number)"
    default: throw wrongKind(name, "a string, \"...\",")
    }
  }

  func whole(_ name: String, _ range: ClosedRange<Int>) throws(TuningError) -> Int? {
    guard let value = members[name] else { return nil }
    guard case .whole(let number) = value else { throw wrongKind(name, "a whole number") }
    if number < range.lowerBound {
      throw invalid(number, name, "Member must have value greater than or equal to \(range.lowerBound)")
    }
    if number > range.upperBound {
      throw invalid(number, name, "Member must have value less than or equal to \(range.upperBound)")
    }
    return number
  }

  func real(_ name: String) throws(TuningError) -> Double? {
    switch members[name] {
    case nil: return nil
    case .whole(let number)?: return Double(number)
    case .real(let number)?: return number
    default: throw wrongKind(name, "a number")
    }
  }

  func object(_ name: String, known: [String]? = nil) throws(TuningError) -> RequestReader? {
    guard let value = members[name] else { return nil }
    return try RequestReader(value, place(name), known: known)
  }

  func list(_ name: String) throws(TuningError) -> [JSONValue] {
    switch members[name] {
    case nil: return []
    case .list(let list)?: return list
    default: throw wrongKind(name, "a list, [...],")
    }
  }

  /// Structures of a list.
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
