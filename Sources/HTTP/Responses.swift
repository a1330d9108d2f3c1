import Encodings
import HTTPTypes
package import Hummingbird
import NIOCore
import Synchronization

extension Response {
  /// `{"error": "..."}`
  ///
  /// - Parameter closing: ends the connection: the request's body was not read.
  package static func refusal(_ status: HTTPResponse.Status, _ sentence: String, closing: Bool = false)
    -> Response
  {
    var headers: HTTPFields = [.contentType: "application/json"]
    if closing { headers[.connection] = "close" }
    return Response(
      status: status, headers: headers,
      body: ResponseBody(byteBuffer: ByteBuffer(string: "{\"error\": \(jsonString(sentence))}\n")))
  }

  package static func busy(_ reason: String, closing: Bool = false) -> Response {
    var response = refusal(.serviceUnavailable, "\(reason); try again soon", closing: closing)
    response.headers[.retryAfter] = "1"
    return response
  }
}

/// What a client sent, for a message: printable ASCII, and not much of it.
package func shown(_ text: String) -> String {
  String(
    text.unicodeScalars.prefix(200).map {
      (0x21..<0x7F).contains($0.value) || $0 == " " ? Character($0) : "?"
    })
}

extension Request {
  /// Whether a body may follow, which somebody has to read.
  package var mayHaveBody: Bool {
    headers[.transferEncoding] != nil || headers[.contentLength].map { $0 != "0" } ?? false
  }
}

/// "12.3"
package func milliseconds(_ duration: Duration) -> String {
  let tenths = Int64(exactly: (duration / .microseconds(100)).rounded()) ?? 0
  return "\(tenths / 10).\(tenths % 10)"
}

/// Bytes of all bodies that are being received or wait: clients that send much at once share what there is.
package final class ReceivedBytes: Sendable {
  private let count = Mutex(0)
  private let limit: Int

  package init(limit: Int = 1 << 30) { self.limit = limit }

  /// - Returns: `false`, with nothing taken, where there is no more room.
  package func take(_ byteCount: Int) -> Bool {
    count.withLock { count in
      guard byteCount <= limit - count else { return false }
      count += byteCount
      return true
    }
  }

  package func give(back byteCount: Int) { count.withLock { $0 -= byteCount } }
}
