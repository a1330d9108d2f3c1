package import HTTP
import HTTPTypes
package import Hummingbird
package import Inference
import NIOCore
import Synchronization

/// What a request to classify an image brings: the image, and the format of the answer.
///
/// One reading of headers and body, and one set of sentences, for everything that hosts models.
package struct ImageRequest: Sendable {
  package let image: [UInt8]
  package let format: PredictionFormat
  private let bodies: ReceivedBytes

  /// A request whose bytes count on nobody.
  package init(image: [UInt8], format: PredictionFormat, bodies: ReceivedBytes = ReceivedBytes()) {
    self.image = image
    self.format = format
    self.bodies = bodies
  }

  /// Why a request is not answered with probabilities.
  package struct Refusal: Error, Sendable {
    package enum Reason: Sendable, Hashable {
      case client(HTTPResponse.Status)
      case model, busy, late, gone
    }
    package let reason: Reason
    package let sentence: String
    /// The body was not read: the connection ends.
    package var isClosing = false

    package var status: HTTPResponse.Status {
      switch reason {
      case .client(let status): status
      case .model: .internalServerError
      case .busy, .late: .serviceUnavailable
      case .gone: .badRequest
      }
    }
  }

  /// Reads a request; the image's bytes are counted in `bodies` until `forget`.
  ///
  /// - Parameters:
  ///   - limit: bytes of the largest body.
  ///   - bodies: counts what all clients together have sent.
  /// - Throws: `Refusal`; what the connection throws.
  package static func receive(_ request: Request, limit: Int, bodies: ReceivedBytes) async throws
    -> ImageRequest
  {
    guard MediaTypes.isImage(request.headers[.contentType]) else {
      throw Refusal(
        reason: .client(.unsupportedMediaType),
        sentence: "content-type \(shown(request.headers[.contentType] ?? "")) not supported; "
          + "\(MediaTypes.images.joined(separator: ", ")) are")
    }
    if let encoding = request.headers[.contentEncoding], encoding.lowercased() != "identity" {
      throw Refusal(
        reason: .client(.unsupportedMediaType),
        sentence: "content-encoding \(shown(encoding)) not supported; send the image as it is")
    }
    guard let format = MediaTypes.format(accepting: request.headers[.accept]) else {
      throw Refusal(
        reason: .client(.notAcceptable),
        sentence: "accept \(shown(request.headers[.accept] ?? "")) not supported; application/json, "
          + "application/json;verbose and application/jsonlines are")
    }
    let image = try await receiveBody(request, limit: limit, bodies: bodies)
    guard !image.isEmpty else {
      throw Refusal(
        reason: .client(.badRequest), sentence: "the body is empty; a JPEG or PNG image is expected")
    }
    return ImageRequest(image: image, format: format, bodies: bodies)
  }

  private static func receiveBody(_ request: Request, limit: Int, bodies: ReceivedBytes) async throws
    -> [UInt8]
  {
    let tooLarge = Refusal(
      reason: .client(.contentTooLarge),
      sentence: "the body is larger than the \(limit) bytes allowed here", isClosing: true)
    let length = request.headers[.contentLength].flatMap { Int($0) } ?? 0
    guard length <= limit else { throw tooLarge }
    var body: [UInt8] = []
    body.reserveCapacity(min(max(0, length), 1 << 20))
    var isTaken = false
    defer { if !isTaken { bodies.give(back: body.count) } }
    for try await part in request.body {
      guard part.readableBytes <= limit - body.count else { throw tooLarge }
      guard bodies.take(part.readableBytes) else {
        throw Refusal(reason: .busy, sentence: "too many images are being received", isClosing: true)
      }
      unsafe part.withUnsafeReadableBytes { unsafe body.append(contentsOf: $0) }
    }
    isTaken = true
    return body
  }

  /// The image is not held any more.
  package func forget() { bodies.give(back: image.count) }

  /// Has the image classified; it is dropped where its client goes before it has begun.
  ///
  /// - Parameter waitingTime: an image that is not in the network after so long is refused.
  /// - Throws: `Refusal`.
  package func classify(
    with queue: ClassifyingQueue, waitingTime: Duration, for client: ClientPresence?
  ) async throws(Refusal) -> [Float] {
    let ticket: ClassifyingQueue.Ticket
    do throws(ClassifyingQueue.Refusal) {
      ticket = try queue.submit(image, from: client?.address ?? "", deadline: .now + waitingTime)
    } catch {
      throw Refusal(reason: .busy, sentence: "too many images wait")
    }
    client?.onLeaving { ticket.drop() }
    defer { client?.forget() }
    do {
      return try await ticket.probabilities()
    } catch ClassificationError.image(let error) {
      throw Refusal(
        reason: .client(.badRequest), sentence: "unable to evaluate payload provided: \(error)")
    } catch let error as ClassificationError {
      throw Refusal(reason: .model, sentence: error.description)
    } catch ClassifyingQueue.Refusal.dropped {
      throw Refusal(reason: .gone, sentence: "the client has gone", isClosing: true)
    } catch {
      throw Refusal(reason: .late, sentence: "the image waited longer than \(waitingTime)")
    }
  }
}
