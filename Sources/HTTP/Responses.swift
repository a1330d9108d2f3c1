import Encodings
package import HTTPTypes
package import HummingbirdCore
import NIOCore
import Synchronization

extension Response {
  /// A JSON error: `{"error": "..."}`.
  ///
  /// - Parameter closing: closes the connection, because the request body was not read.
  package static func refusal(_ status: HTTPResponse.Status, _ sentence: String, closing: Bool = false)
    -> Response
  {
    var headers: HTTPFields = [.contentType: "application/json"]
    if closing { headers[.connection] = "close" }
    return Response(
      status: status, headers: headers,
      body: ResponseBody(byteBuffer: ByteBuffer(string: "{\"error\": \(jsonString(sentence))}\n")))
  }

  /// A 503 response that asks the client to retry after one second.
  package static func busy(_ reason: String, closing: Bool = false) -> Response {
    var response = refusal(.serviceUnavailable, "\(reason); try again soon", closing: closing)
    response.headers[.retryAfter] = "1"
    return response
  }
}

/// Client-supplied text for use in a message: at most 200 characters, non-ASCII and control characters as
/// `?`.
package func shown(_ text: String) -> String {
  String(
    text.unicodeScalars.prefix(200).map {
      (0x21..<0x7F).contains($0.value) || $0 == " " ? Character($0) : "?"
    })
}

extension Request {
  /// Whether the request announces a body that must be read.
  package var mayHaveBody: Bool {
    headers[.transferEncoding] != nil || headers[.contentLength].map { $0 != "0" } ?? false
  }
}

/// Milliseconds with one decimal: "12.3".
package func milliseconds(_ duration: Duration) -> String {
  let tenths = Int64(exactly: (duration / .microseconds(100)).rounded()) ?? 0
  return "\(tenths / 10).\(tenths % 10)"
}

/// A shared budget, in bytes, for request bodies that are being received or held by all clients together.
package final class ReceivedBytes: Sendable {
  private let count = Mutex(0)
  private let limit: Int

  /// - Parameter limit: in bytes.
  package init(limit: Int = 1 << 30) { self.limit = limit }

  /// Reserves bytes.
  ///
  /// - Returns: `false`, with nothing reserved, if the budget does not suffice.
  package func take(_ byteCount: Int) -> Bool {
    count.withLock { count in
      guard byteCount <= limit - count else { return false }
      count += byteCount
      return true
    }
  }

  /// Returns bytes that `take` reserved.
  package func give(back byteCount: Int) { count.withLock { $0 -= byteCount } }
}

/// An error of the SageMaker runtime API in the form that boto3 parses: status, `x-amzn-ErrorType`, and JSON.
package struct RuntimeError: Error, Sendable, Equatable {
  package let status: HTTPResponse.Status
  /// The error's shape name; nil as in SageMaker's own 413, where clients go by the status.
  package let type: String?
  package let message: String
  /// Only for ModelError: the model's own response.
  package var original: (status: Int, message: String, log: String)?
  /// Closes the connection, because the request body was not read.
  package var isClosing = false

  package init(
    status: HTTPResponse.Status, type: String?, message: String,
    original: (status: Int, message: String, log: String)? = nil, isClosing: Bool = false
  ) {
    (self.status, self.type, self.message) = (status, type, message)
    (self.original, self.isClosing) = (original, isClosing)
  }

  /// A ValidationError with status 400.
  package static func validation(_ message: String, closing: Bool = false) -> RuntimeError {
    RuntimeError(status: .badRequest, type: "ValidationError", message: message, isClosing: closing)
  }

  package static func == (a: RuntimeError, b: RuntimeError) -> Bool {
    a.status == b.status && a.type == b.type && a.message == b.message
      && a.original?.status == b.original?.status && a.original?.message == b.original?.message
  }

  /// The response to send; 429 and 503 ask the client to retry after one second.
  package var response: Response {
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
  package static let errorType = name("x-amzn-ErrorType")
  package static let requestID = name("x-amzn-RequestId")
  package static let invokedVariant = name("x-Amzn-Invoked-Production-Variant")
  package static let customAttributes = name("X-Amzn-SageMaker-Custom-Attributes")
  package static let targetVariant = name("X-Amzn-SageMaker-Target-Variant")
  package static let inferenceID = name("X-Amzn-SageMaker-Inference-Id")
}
