import Encodings
import FoundationEssentials
import Inference

/// One request and its answer, as SageMaker's data capture writes them: a line of JSON.
struct CaptureRecord: Sendable {
  struct Part: Sendable {
    var contentType: String
    var data: [UInt8]
  }
  /// nil: not captured.
  var input: Part?
  var output: Part?
  var customAttributes: String?
  var inferenceID: String?
  var eventID: String
  var time: Date

  /// The line with its line feed.
  func line(_ plan: CapturePlan) -> [UInt8] {
    var json = JSONWriter(.ascii)
    json.object { json in
      json.key("captureData")
      json.object { json in
        if let input { Self.write(input, as: "endpointInput", "INPUT", plan, to: &json) }
        if let output { Self.write(output, as: "endpointOutput", "OUTPUT", plan, to: &json) }
      }
      json.key("eventMetadata")
      json.object { json in
        json.key("eventId")
        json.string(eventID)
        if let customAttributes {
          json.key("customAttributes")
          json.strings([customAttributes])
        }
        if let inferenceID {
          json.key("inferenceId")
          json.string(inferenceID)
        }
        json.key("inferenceTime")
        json.string(time.formatted(.iso8601))
      }
      json.key("eventVersion")
      json.string("0")
    }
    return json.bytes + [UInt8(ascii: "\n")]
  }

  private static func write(
    _ part: Part, as name: String, _ mode: String, _ plan: CapturePlan, to json: inout JSONWriter
  ) {
    let type = part.contentType.lowercased().prefix { $0 != ";" && $0 != " " }
    let isType = { (types: [String]) in types.contains(String(type)) }
    let encoding = isType(plan.jsonContentTypes) ? "JSON" : isType(plan.csvContentTypes) ? "CSV" : "BASE64"
    json.key(name)
    json.object { json in
      json.key("observedContentType")
      json.string(part.contentType)
      json.key("mode")
      json.string(mode)
      json.key("data")
      json.string(encoding == "BASE64" ? base64Text(part.data) : String(decoding: part.data, as: UTF8.self))
      json.key("encoding")
      json.string(encoding)
    }
  }

  /// `endpoint/variant/yyyy/mm/dd/hh/mm-ss-mmm-uuid.jsonl`
  static func key(endpoint: String, variant: String, time: Date, id: String) -> String {
    // 2026-11-22T20:15:03.127Z
    let text = Array(time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
    func part(_ range: Range<Int>) -> String { range.upperBound <= text.count ? String(text[range]) : "" }
    return "\(endpoint)/\(variant)/\(part(0..<4))/\(part(5..<7))/\(part(8..<10))/\(part(11..<13))/"
      + "\(part(14..<16))-\(part(17..<19))-\(part(20..<23))-\(id.lowercased()).jsonl"
  }
}
