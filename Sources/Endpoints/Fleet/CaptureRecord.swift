import Encodings
import FoundationEssentials
import Inference

/// One request and its response as a line of JSON, in the format of SageMaker's data capture.
struct CaptureRecord: Sendable {
  struct Part: Sendable {
    var contentType: String
    var data: [UInt8]
  }
  /// nil if the plan does not capture it.
  var input: Part?
  var output: Part?
  var customAttributes: String?
  var inferenceID: String?
  var eventID: String
  var time: Date

  /// The JSON line, including its line feed.
  func line(_ plan: CapturePlan) -> [UInt8] {
    var parts: [String] = []
    if let input { parts.append("\"endpointInput\":" + Self.json(input, "INPUT", plan)) }
    if let output { parts.append("\"endpointOutput\":" + Self.json(output, "OUTPUT", plan)) }
    var event = "\"eventId\":\(jsonString(eventID))"
    if let customAttributes { event += ",\"customAttributes\":[\(jsonString(customAttributes))]" }
    if let inferenceID { event += ",\"inferenceId\":\(jsonString(inferenceID))" }
    event += ",\"inferenceTime\":\"\(time.formatted(.iso8601))\""
    let line =
      "{\"captureData\":{\(parts.joined(separator: ","))},\"eventMetadata\":{\(event)},\"eventVersion\":\"0\"}\n"
    return Array(line.utf8)
  }

  private static func json(_ part: Part, _ mode: String, _ plan: CapturePlan) -> String {
    let type = part.contentType.lowercased().prefix { $0 != ";" && $0 != " " }
    let isType = { (types: [String]) in types.contains(String(type)) }
    let encoding = isType(plan.jsonContentTypes) ? "JSON" : isType(plan.csvContentTypes) ? "CSV" : "BASE64"
    let text =
      encoding == "BASE64"
      ? Data(part.data).base64EncodedString() : String(decoding: part.data, as: UTF8.self)
    return "{\"observedContentType\":\(jsonString(part.contentType)),\"mode\":\"\(mode)\","
      + "\"data\":\(jsonString(text)),\"encoding\":\"\(encoding)\"}"
  }

  /// The object's key: `endpoint/variant/yyyy/mm/dd/hh/mm-ss-mmm-uuid.jsonl`, in UTC.
  static func key(endpoint: String, variant: String, time: Date, id: String) -> String {
    // The form of the time: 2026-11-22T20:15:03.127Z
    let text = Array(time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
    func part(_ range: Range<Int>) -> String { range.upperBound <= text.count ? String(text[range]) : "" }
    return "\(endpoint)/\(variant)/\(part(0..<4))/\(part(5..<7))/\(part(8..<10))/\(part(11..<13))/"
      + "\(part(14..<16))-\(part(17..<19))-\(part(20..<23))-\(id.lowercased()).jsonl"
  }
}
