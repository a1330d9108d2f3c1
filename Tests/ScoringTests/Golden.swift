import Foundation
import Scoring
import Testing

/// Any JSON, to walk through.
enum JSONValue: Decodable, Hashable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  init(encoding value: Score) throws {
    self = try JSONDecoder().decode(JSONValue.self, from: Data(text(of: value)))
  }

  subscript(_ keys: String...) -> JSONValue {
    keys.reduce(self) { value, key in
      if case .object(let members) = value { members[key] ?? .null } else { .null }
    }
  }

  var elements: [JSONValue] { if case .array(let values) = self { values } else { [] } }
}

/// A case, and what the libraries say of it.
struct Golden: Decodable, CustomTestStringConvertible {
  let name: String
  let samples: Samples
  let expected: JSONValue

  enum CodingKeys: String, CodingKey {
    case name
    case samples = "case"
    case expected = "score"
  }
  var testDescription: String { name }

  static func data(_ file: String) throws -> Data {
    try Data(
      contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Goldens").appendingPathComponent(file))
  }

  static func all() throws -> [Golden] {
    try data("scores.jsonl").split(separator: UInt8(ascii: "\n")).map {
      try JSONDecoder().decode(Golden.self, from: Data($0))
    }
  }

  /// What differs, in words.
  func differences(_ score: JSONValue) -> [String] {
    guard case .object(let wanted) = expected else { return ["the golden is no object"] }
    return wanted.flatMap { key, value in
      Self.differences(key, value, reduced(score, key))
    }.sorted()
  }

  /// The part of a score the golden has under `key`: columns of classes, images by number.
  private func reduced(_ score: JSONValue, _ key: String) -> JSONValue {
    func column(_ list: String..., path: [String]) -> JSONValue {
      let rows = list.reduce(score) { $0[$1] }.elements
      return .array(rows.map { row in path.reduce(row) { $0[$1] } })
    }
    func numbers(_ images: JSONValue) -> JSONValue {
      .array(
        images.elements.map { image in
          guard case .string(let path) = image["path"] else { return .null }
          return .number(Double(path.prefix { $0 != "." }) ?? .nan)
        })
    }
    switch key {
    case "precision", "f1", "average_precision", "support": return column("classes", path: [key])
    case "recall": return column("classes", path: ["recall", "value"])
    case "recall_low": return column("classes", path: ["recall", "low"])
    case "precision_high": return column("classes", path: ["precision_interval", "high"])
    case "pairs": return .array(score["pairs"].elements.map { .array([$0["a"], $0["b"], $0["count"]]) })
    case "pair_share": return column("pairs", path: ["share"])
    case "confident_errors": return numbers(score["confident_errors"])
    case "label_issues": return numbers(score["label_issues", "images"])
    default: return score[key]
    }
  }

  private static func differences(_ path: String, _ want: JSONValue, _ have: JSONValue) -> [String] {
    switch (want, have) {
    case (.object(let members), .object):
      return members.flatMap { differences("\(path).\($0.key)", $0.value, have[$0.key]) }
    case (.array(let a), .array(let b)) where a.count == b.count:
      return a.indices.flatMap { differences("\(path)[\($0)]", a[$0], b[$0]) }
    case (.number(let a), .number(let b)) where abs(a - b) <= 1e-9 * max(1, abs(a)):
      return []
    default:
      return want == have ? [] : ["\(path): \(want) is expected, not \(have)"]
    }
  }
}
