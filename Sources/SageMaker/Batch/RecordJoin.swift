import Encodings

/// DataProcessing: what of a record is sent, and what of the answer is kept.
struct RecordJoin: Sendable {
  enum Format: Sendable { case csv, json }
  /// Of the input; nil: bytes that are no text.
  let format: Format?
  let inputFilter: JSONPath
  let outputFilter: JSONPath
  let joinsInput: Bool

  private var isWhole: Bool { inputFilter.steps.isEmpty }
  /// What the model answers stands in the output as it is.
  var keepsAnswers: Bool { !joinsInput && outputFilter.steps.isEmpty }

  /// What the model gets of a record.
  func request(_ record: [UInt8]) throws -> [UInt8] {
    guard !isWhole, let format else { return record }
    return Self.bytes(try inputFilter.select(from: try Self.value(record, format)), format)
  }

  /// What stands in the output for a record.
  func result(_ record: [UInt8], _ answer: [UInt8]) throws -> [UInt8] {
    if keepsAnswers { return answer }
    guard joinsInput, let format else {
      return Self.bytes(try outputFilter.select(from: try Self.value(answer, .json)), .json)
    }
    let (input, output) = (try Self.value(record, format), try Self.value(answer, format))
    let joined: JSON =
      switch (format, input, output) {
      case (.csv, .list(let columns), .list(let others)): .list(columns + others)
      case (.json, .object(var members), _):
        {
          members["SageMakerOutput"] = output
          return .object(members)
        }()
      default: ["SageMakerInput": input, "SageMakerOutput": output]
      }
    return Self.bytes(try outputFilter.select(from: joined), format)
  }

  private static func value(_ bytes: [UInt8], _ format: Format) throws -> JSON {
    switch format {
    case .json:
      do { return try JSON(parsing: bytes) } catch {
        throw BatchFault(description: "it is no JSON: \(error)")
      }
    case .csv:
      let text = String(decoding: bytes, as: UTF8.self)
      return .list(
        columns(of: text.last?.isNewline ?? false ? String(text.dropLast()) : text).map { .string($0) })
    }
  }

  /// As they stand, quotes included.
  private static func columns(of line: String) -> [String] {
    var columns = [""]
    var isQuoted = false
    for character in line {
      if character == "\"" { isQuoted.toggle() }
      if character == "," && !isQuoted {
        columns.append("")
      } else {
        columns[columns.count - 1].append(character)
      }
    }
    return columns
  }

  private static func bytes(_ value: JSON, _ format: Format) -> [UInt8] {
    guard format == .csv else { return value.bytes }
    let columns = value.list ?? [value]
    return Array(columns.map { $0.text ?? $0.encoded }.joined(separator: ",").utf8)
  }
}
