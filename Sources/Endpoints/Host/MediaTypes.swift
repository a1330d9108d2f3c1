package import Inference

/// Reads the Content-Type and Accept headers of requests.
package enum MediaTypes {
  /// The supported content types of images. The decoder goes by the image's bytes, not by this name.
  package static let images = ["application/x-image", "image/jpeg", "image/png"]

  /// Whether a Content-Type is supported; a missing one is.
  package static func isImage(_ contentType: String?) -> Bool {
    guard let contentType else { return true }
    return images.contains(essence(contentType[...])) || essence(contentType[...]) == "image/jpg"
  }

  /// The output format that an Accept header asks for: the first known one of those with the highest weight;
  /// nil if none is known.
  package static func format(accepting header: String?) -> PredictionFormat? {
    guard let header, !header.utf8.allSatisfy({ $0 == UInt8(ascii: " ") }) else { return .json }
    var best: (format: PredictionFormat, weight: Double)?
    for range in header.split(separator: ",") {
      let weight = weight(range)
      guard var format = formats[essence(range)], weight > best?.weight ?? 0 else { continue }
      if format == .json, parameters(range).contains("verbose") { format = .verbose }
      best = (format, weight)
    }
    return best?.format
  }

  private static let formats: [String: PredictionFormat] = [
    "*/*": .json, "application/*": .json, "application/json": .json, "application/jsonlines": .jsonlines,
  ]

  /// The media type without its parameters, in lower case.
  private static func essence(_ type: Substring) -> String {
    trimmed(type.prefix { $0 != ";" }).lowercased()
  }

  /// The parameters of a media type, in lower case: `q=0.5`, `verbose`.
  private static func parameters(_ range: Substring) -> [String] {
    range.split(separator: ";").dropFirst().map { trimmed($0).lowercased() }
  }

  /// The `q` of a media range, clamped to 0...1: 1 if missing, 0 if not a number.
  private static func weight(_ range: Substring) -> Double {
    for parameter in parameters(range) {
      if parameter.hasPrefix("q=") { return Double(parameter.dropFirst(2)).map { max(0, min(1, $0)) } ?? 0 }
    }
    return 1
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text
    while let last = text.utf8.last, last == 0x20 || last == 0x09 { text = text.dropLast() }
    return text.drop { $0 == " " || $0 == "\t" }
  }
}

extension PredictionFormat {
  /// The Content-Type of a response in this format.
  package var mediaType: String {
    switch self {
    case .json: "application/json"
    case .jsonlines: "application/jsonlines"
    case .verbose: "application/json;verbose"
    }
  }
}
