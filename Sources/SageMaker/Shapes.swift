import Encodings
import Foundation
import Synchronization

/// What AWS's model says of the members of requests and answers.
struct Shape: Sendable {
  enum Kind: Sendable, Hashable {
    case string, integer, float, boolean, timestamp
    case structure(members: [String: String], required: [String])
    case list(element: String)
    case map(key: String, value: String)
  }
  let kind: Kind
  /// Of the length, the value, or the number of elements.
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

/// The table of shapes, and the names of the operations.
package struct Shapes: Sendable {
  package struct Operation: Sendable {
    /// Nil: the answer has no body.
    package let input: String, output: String?
  }
  package let operations: [String: Operation]
  /// SageMaker's operations that are not here.
  let others: Set<String>
  private let shapes: [String: Shape]

  /// Of the file that tools/oracle/goldens/shapes.py writes.
  package static let standard: Shapes = {
    guard let table = try? JSON(parsing: PackageResources.Shapes_json) else {
      preconditionFailure("the table of shapes is built into the program, and is JSON")
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

/// Patterns, each made once.
///
/// Those of the table have no two ways to read a text that grow with its length together; and no text is matched that is
/// longer than `Violations.longestMatched`.
final class Patterns: Sendable {
  static let standard = Patterns()
  private let made = Mutex<[String: NSRegularExpression]>([:])

  /// Whether the whole text is of the pattern. One that cannot be read refuses nothing.
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
