import HTTPTypes
import Hosting
package import Hummingbird
import Inference
import NIOCore

/// An error of the runtime API as boto3 parses it: status, `x-amzn-ErrorType`, and JSON.
package struct RuntimeError: Error, Sendable, Equatable {
  package let status: HTTPResponse.Status
  /// The name of the error's shape; nil: clients take the status for it, as SageMaker's own 413.
  package let type: String?
  package let message: String
  /// Of ModelError: what the model said.
  package var original: (status: Int, message: String, log: String)?
  /// The request's body was not read: the connection ends.
  package var isClosing = false

  static func validation(_ message: String, closing: Bool = false) -> RuntimeError {
    RuntimeError(status: .badRequest, type: "ValidationError", message: message, isClosing: closing)
  }

  package static func == (a: RuntimeError, b: RuntimeError) -> Bool {
    a.status == b.status && a.type == b.type && a.message == b.message
      && a.original?.status == b.original?.status && a.original?.message == b.original?.message
  }

  var response: Response {
    var json = "{\"Message\": \(jsonString(message))"
    if let original {
      json +=
        ", \"OriginalStatusCode\": \(original.status), \"OriginalMessage\": \(jsonString(original.message)), "
        + "\"LogStreamArn\": \(jsonString(original.log))"
    }
    var headers: HTTPFields = [.contentType: "application/json"]
    if let type { headers[.errorType] = type }
    if isClosing { headers[.connection] = "close" }
    if status == .serviceUnavailable || status == .tooManyRequests { headers[.retryAfter] = "1" }
    return Response(
      status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: json + "}\n")))
  }
}

extension HTTPField.Name {
  static let errorType = name("x-amzn-ErrorType")
  static let requestID = name("x-amzn-RequestId")
  static let invokedVariant = name("x-Amzn-Invoked-Production-Variant")
  static let customAttributes = name("X-Amzn-SageMaker-Custom-Attributes")
  static let targetVariant = name("X-Amzn-SageMaker-Target-Variant")
  static let inferenceID = name("X-Amzn-SageMaker-Inference-Id")
}
