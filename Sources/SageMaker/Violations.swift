package import Encodings
import Foundation
import Synchronization

/// Validates a request against its shape and describes each violation in AWS's words.
package struct Violations {
  private let shapes: Shapes
  private var found: [String] = []

  /// The largest number of violations that one error message lists.
  private static let most = 50
  /// The longest text that is matched against a pattern, in characters; a longer text is reported as too long.
  static let longestMatched = 8192
  /// How much of a rejected value the message quotes, in characters.
  private static let longestShown = 256

  private init(_ shapes: Shapes) { self.shapes = shapes }

  /// Validates a value, and drops null members and members that the shape does not have.
  ///
  /// - Throws: `.serialization` if a value has the wrong type; `.validation` with the list of violations.
  package static func check(
    _ value: JSON, as shape: String, in shapes: Shapes = .standard
  ) throws(ControlPlaneError) -> JSON {
    var violations = Violations(shapes)
    let known = try violations.known(value, shape, path: "")
    let found = violations.found
    guard found.isEmpty else {
      throw .invalid(
        "\(found.count) validation error\(found.count == 1 ? "" : "s") detected: \(found.joined(separator: "; "))"
      )
    }
    return known
  }

  private mutating func report(_ value: String?, _ path: String, _ constraint: String) {
    guard found.count < Self.most else { return }
    let shown = value.map { text in
      let start = text.prefix(Self.longestShown)
      return "'\(start)\(start.endIndex == text.endIndex ? "" : "...")'"
    }
    found.append(
      "Value \(shown ?? "null") at '\(path)' failed to satisfy constraint: \(constraint)")
  }

  private mutating func known(
    _ value: JSON, _ name: String, path: String
  ) throws(ControlPlaneError) -> JSON {
    guard let shape = shapes[name] else { return value }
    switch (shape.kind, value) {
    case (.structure(let members, let required), .object(let given)):
      return try structure(given, members, required, path)
    case (.list(let element), .list(let elements)):
      checkCount(elements.count, shape, shown: "[\(elements.count) elements]", path)
      return try list(elements, element, path)
    case (.map(let key, let value), .object(let given)):
      checkCount(given.count, shape, shown: "{\(given.count) entries}", path)
      return try map(given, key, value, path)
    case (.string, .string(let text)):
      for constraint in broken(text, shape) { report(text, path, constraint) }
      return value
    case (.integer, .integer), (.float, .integer), (.float, .number), (.integer, .number):
      return try number(value, shape, path)
    case (.boolean, .bool): return value
    case (.timestamp, .integer), (.timestamp, .number): return value
    default: throw Self.mismatch(value, shape.kind)
    }
  }

  private mutating func structure(
    _ given: [String: JSON], _ members: [String: String], _ required: [String], _ path: String
  ) throws(ControlPlaneError) -> JSON {
    var known: [String: JSON] = [:]
    // Sorted, so that the message is deterministic.
    for (name, shape) in members.sorted(by: { $0.key < $1.key }) {
      let place = Self.place(path, name)
      if let value = given[name], value != .null {
        known[name] = try self.known(value, shape, path: place)
      } else if required.contains(name) {
        report(nil, place, "Member must not be null")
      }
    }
    return .object(known)
  }

  private mutating func list(
    _ elements: [JSON], _ element: String, _ path: String
  ) throws(ControlPlaneError) -> JSON {
    var known: [JSON] = []
    if let shape = shapes[element], shape.kind == .string {
      for value in elements {
        guard case .string(let text) = value else { throw Self.mismatch(value, shape.kind) }
        let broken = broken(text, shape)
        if !broken.isEmpty {
          report("[\(text)]", path, "Member must satisfy constraint: [\(broken.joined(separator: ", "))]")
        }
        known.append(value)
      }
      return .list(known)
    }
    for (index, value) in elements.enumerated() {
      known.append(try self.known(value, element, path: "\(path).\(index + 1).member"))
    }
    return .list(known)
  }

  private mutating func map(
    _ given: [String: JSON], _ key: String, _ value: String, _ path: String
  ) throws(ControlPlaneError) -> JSON {
    var known: [String: JSON] = [:]
    for (name, member) in given.sorted(by: { $0.key < $1.key }) where member != .null {
      if let shape = shapes[key] {
        let broken = broken(name, shape)
        if !broken.isEmpty {
          report("{\(name)}", path, "Map keys must satisfy constraint: [\(broken.joined(separator: ", "))]")
        }
      }
      if let shape = shapes[value], shape.kind == .string {
        guard case .string(let text) = member else { throw Self.mismatch(member, shape.kind) }
        let broken = broken(text, shape)
        if !broken.isEmpty {
          report(
            "{\(name)=\(text)}", path,
            "Map value must satisfy constraint: [\(broken.joined(separator: ", "))]")
        }
        known[name] = member
      } else {
        known[name] = try self.known(member, value, path: "\(path).\(name).member")
      }
    }
    return .object(known)
  }

  private mutating func number(
    _ value: JSON, _ shape: Shape, _ path: String
  ) throws(ControlPlaneError) -> JSON {
    guard let number = value.number, shape.kind == .float || value.integer != nil else {
      throw Self.mismatch(value, shape.kind)
    }
    let shown = value.encoded
    if let least = shape.least, number < least {
      report(shown, path, "Member must have value greater than or equal to \(Self.text(least))")
    }
    if let most = shape.most, number > most {
      report(shown, path, "Member must have value less than or equal to \(Self.text(most))")
    }
    return shape.kind == .integer ? value.integer.map { .integer($0) } ?? value : value
  }

  private mutating func checkCount(_ count: Int, _ shape: Shape, shown: String, _ path: String) {
    for constraint in Self.broken(count: count, shape) { report(shown, path, constraint) }
  }

  private func broken(_ text: String, _ shape: Shape) -> [String] {
    if let choices = shape.choices {
      return choices.contains(text)
        ? [] : ["Member must satisfy enum value set: [\(choices.joined(separator: ", "))]"]
    }
    let count = text.unicodeScalars.count
    var broken = Self.broken(count: count, shape)
    if let pattern = shape.pattern, count <= Self.longestMatched, !Patterns.standard.matches(text, pattern) {
      broken.insert("Member must satisfy regular expression pattern: \(pattern)", at: 0)
    } else if count > Self.longestMatched, broken.isEmpty, shape.pattern != nil {
      broken.append("Member must have length less than or equal to \(Self.longestMatched)")
    }
    return broken
  }

  private static func broken(count: Int, _ shape: Shape) -> [String] {
    var broken: [String] = []
    if let least = shape.least, Double(count) < least {
      broken.append("Member must have length greater than or equal to \(text(least))")
    }
    if let most = shape.most, Double(count) > most {
      broken.append("Member must have length less than or equal to \(text(most))")
    }
    return broken
  }

  private static func text(_ bound: Double) -> String { Int(exactly: bound).map { "\($0)" } ?? "\(bound)" }

  /// The path of a member, in lower camel case as in AWS's messages.
  private static func place(_ path: String, _ name: String) -> String {
    let name = name.prefix(1).lowercased() + name.dropFirst()
    return path.isEmpty ? name : "\(path).\(name)"
  }

  /// AWS's error for a value of the wrong type; AWS does not say which member it is.
  private static func mismatch(_ value: JSON, _ kind: Shape.Kind) -> ControlPlaneError {
    let wanted =
      switch kind {
      case .string: "a String"
      case .integer: "an Integer"
      case .float: "a Float"
      case .boolean: "a Boolean"
      case .timestamp: "a Timestamp"
      case .structure, .list, .map: "a collection"
      }
    return switch value {
    case .object: ControlPlaneError(.serialization, "Start of structure or map found where not expected.")
    case .list: ControlPlaneError(.serialization, "Start of list found where not expected")
    case .string: ControlPlaneError(.serialization, "STRING_VALUE cannot be converted to \(wanted)")
    case .bool(let value):
      ControlPlaneError(.serialization, "\(value ? "TRUE" : "FALSE")_VALUE cannot be converted to \(wanted)")
    case .integer, .number: ControlPlaneError(.serialization, "NUMBER_VALUE cannot be converted to \(wanted)")
    case .null: ControlPlaneError(.serialization, "NULL_VALUE cannot be converted to \(wanted)")
    }
  }
}

/// The type and constraints of one shape in AWS's service model.
struct Shape: Sendable {
  enum Kind: Sendable, Hashable {
    case string, integer, float, boolean, timestamp
    case structure(members: [String: String], required: [String])
    case list(element: String)
    case map(key: String, value: String)
  }
  let kind: Kind
  /// Bounds, both inclusive: of a string's length in characters, a number's value, or a collection's element count.
  let least: Double?
  let most: Double?
  let pattern: String?
  let choices: [String]?

  fileprivate init?(_ facts: JSON) {
    switch facts["t"]?.text {
    case "s": kind = .string
    case "i": kind = .integer
    case "f": kind = .float
    case "b": kind = .boolean
    case "d": kind = .timestamp
    case "S":
      kind = .structure(
        members: facts["m"]?.texts ?? [:], required: facts["r"]?.list?.compactMap(\.text) ?? [])
    case "l": kind = .list(element: facts["e"]?.text ?? "")
    case "m": kind = .map(key: facts["k"]?.text ?? "", value: facts["v"]?.text ?? "")
    default: return nil
    }
    least = facts["n"]?.number
    most = facts["x"]?.number
    pattern = facts["p"]?.text
    choices = facts["c"]?.list?.compactMap(\.text)
  }
}

/// SageMaker's operations, and the shapes of their requests and responses.
package struct Shapes: Sendable {
  /// An API operation.
  package struct Operation: Sendable {
    /// The names of the shapes; `output` is nil if the response has no body.
    package let input: String, output: String?
  }
  /// The operations that imrec supports, by name.
  package let operations: [String: Operation]
  /// The names of SageMaker's operations that imrec does not support.
  let others: Set<String>
  private let shapes: [String: Shape]

  /// The built-in table, which tools/oracle/goldens/shapes.py generates from AWS's service model.
  package static let standard: Shapes = {
    guard let table = try? JSON(parsing: PackageResources.Shapes_json) else {
      preconditionFailure("the built-in table of shapes must be valid JSON")
    }
    return Shapes(table)
  }()

  init(_ table: JSON) {
    operations = (table["operations"]?.object ?? [:]).mapValues {
      Operation(input: $0["input"]?.text ?? "", output: $0["output"]?.text)
    }
    others = Set(table["others"]?.list?.compactMap(\.text) ?? [])
    shapes = (table["shapes"]?.object ?? [:]).compactMapValues { Shape($0) }
  }

  subscript(name: String) -> Shape? { shapes[name] }
}

/// A cache of compiled regular expressions.
///
/// The patterns of the built-in table have no nested ambiguous repetition, so matching does not backtrack exponentially;
/// `Violations.longestMatched` bounds the length of the text.
final class Patterns: Sendable {
  static let standard = Patterns()
  private let made = Mutex<[String: NSRegularExpression]>([:])

  /// Whether the pattern matches the whole text. A pattern that does not compile matches every text.
  func matches(_ text: String, _ pattern: String) -> Bool {
    let expression = made.withLock { made -> NSRegularExpression? in
      if let known = made[pattern] { return known }
      let new = try? NSRegularExpression(pattern: "\\A(?:\(pattern))\\z")
      made[pattern] = new
      return new
    }
    guard let expression else { return true }
    return expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
  }
}
