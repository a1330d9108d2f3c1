import Encodings

/// SageMaker's DataProcessing: which part of a record is sent, and what is written for it.
package struct RecordJoin: Sendable {
  package enum Format: Sendable { case csv, json }
  /// The format of the records; nil if they are binary.
  let format: Format?
  let inputFilter: JSONPath
  let outputFilter: JSONPath
  let joinsInput: Bool

  package init(format: Format?, inputFilter: JSONPath, outputFilter: JSONPath, joinsInput: Bool) {
    self.format = format
    self.inputFilter = inputFilter
    self.outputFilter = outputFilter
    self.joinsInput = joinsInput
  }

  private var isWhole: Bool { inputFilter.steps.isEmpty }
  /// Whether answers are written unchanged.
  var keepsAnswers: Bool { !joinsInput && outputFilter.steps.isEmpty }

  /// The request for a record: the record, filtered by `inputFilter`.
  func request(_ record: [UInt8]) throws -> [UInt8] {
    guard !isWhole, let format else { return record }
    return Self.bytes(try inputFilter.select(from: try Self.value(record, format)), format)
  }

  /// The output for a record: the answer, joined with the record if `joinsInput`, filtered by `outputFilter`.
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
        throw TransformFault("it is no JSON: \(error)")
      }
    case .csv:
      let text = String(decoding: bytes, as: UTF8.self)
      return .list(
        columns(of: text.last?.isNewline ?? false ? String(text.dropLast()) : text).map { .string($0) })
    }
  }

  /// The columns of a CSV line, unchanged, including their quotes.
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
