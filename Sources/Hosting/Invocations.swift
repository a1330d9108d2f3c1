import HTTPTypes
import Hummingbird
import Inference
import NIOCore

/// `POST /invocations` of one model: an image in, its probabilities out.
struct Invocations: Sendable {
  let queue: ClassifyingQueue
  let options: HostOptions
  let bodies = ReceivedBytes()

  func respond(to request: Request, from client: ClientPresence?) async throws -> Response {
    do {
      let received = try await ImageRequest.receive(
        request, limit: options.maximumBodyByteCount, bodies: bodies)
      defer { received.forget() }
      let probabilities = try await received.classify(
        with: queue, waitingTime: options.waitingTime, for: client)
      return Response(
        status: .ok, headers: [.contentType: received.format.mediaType],
        body: ResponseBody(
          byteBuffer: ByteBuffer(
            bytes: received.format.text(probabilities, classes: queue.classifier.classes))))
    } catch let refusal as ImageRequest.Refusal {
      switch refusal.reason {
      case .busy, .late: return .busy(refusal.sentence, closing: refusal.isClosing)
      default: return .refusal(refusal.status, refusal.sentence, closing: refusal.isClosing)
      }
    }
  }
}

extension Response {
  /// `{"error": "..."}`
  ///
  /// - Parameter closing: ends the connection: the request's body was not read.
  static func refusal(_ status: HTTPResponse.Status, _ sentence: String, closing: Bool = false) -> Response {
    var headers: HTTPFields = [.contentType: "application/json"]
    if closing { headers[.connection] = "close" }
    return Response(
      status: status, headers: headers,
      body: ResponseBody(byteBuffer: ByteBuffer(string: "{\"error\": \(jsonString(sentence))}\n")))
  }

  static func busy(_ reason: String, closing: Bool = false) -> Response {
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
