import HTTP
import HTTPTypes
import Hummingbird
import Inference
import NIOCore

/// Answers `POST /invocations` of a model: an image in, its class probabilities out.
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
