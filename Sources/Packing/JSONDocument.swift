import FoundationEssentials

/// A result as one JSON document: keys in snake_case and sorted, so that the same result is the same text.
public func jsonDocument(_ result: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  encoder.keyEncodingStrategy = .convertToSnakeCase
  return String(decoding: try encoder.encode(result), as: UTF8.self) + "\n"
}
