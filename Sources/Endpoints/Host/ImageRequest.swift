package import HTTP
package import HTTPTypes
package import HummingbirdCore
package import Inference
import NIOCore
import Synchronization

/// A request to classify an image: the image, and the format of the response.
///
/// Everything that hosts models reads headers and bodies here, so the checks and error sentences are the same
/// everywhere.
package struct ImageRequest: Sendable {
  /// The format of the response body.
  package let image: [UInt8]
  package let format: PredictionFormat
  private let bodies: ReceivedBytes

  /// Makes a request from bytes in memory, which no shared budget counts.
  package init(image: [UInt8], format: PredictionFormat, bodies: ReceivedBytes = ReceivedBytes()) {
    self.image = image
    self.format = format
    self.bodies = bodies
  }

  /// Why a request gets no probabilities.
  package struct Refusal: Error, Sendable {
    package enum Reason: Sendable, Hashable {
      /// The request itself is wrong; the status to answer with.
      case client(HTTPResponse.Status)
      /// The model failed; too many images wait; the image waited too long; the client disconnected.
      case model, busy, late, gone
    }
    package let reason: Reason
    /// Why, as a sentence for the client.
    package let sentence: String
    /// Closes the connection, because the request body was not read.
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

  /// Reads and checks a request. The image's bytes count against `bodies` until `forget` is called.
  ///
  /// - Parameters:
  ///   - limit: the largest allowed body, in bytes.
  ///   - bodies: the budget that all clients share.
  /// - Throws: `Refusal`; errors of the connection.
  package static func receive(_ request: Request, limit: Int, bodies: ReceivedBytes) async throws
    -> ImageRequest
  {
    guard MediaTypes.isImage(request.headers[.contentType]) else {
      throw Refusal(
        reason: .client(.unsupportedMediaType),
        sentence: "content-type \(shown(request.headers[.contentType] ?? "")) not supported; "
          + "use one of \(MediaTypes.images.joined(separator: ", "))")
    }
    if let encoding = request.headers[.contentEncoding], encoding.lowercased() != "identity" {
      throw Refusal(
        reason: .client(.unsupportedMediaType),
        sentence: "content-encoding \(shown(encoding)) not supported; send the image unencoded")
    }
    guard let format = MediaTypes.format(accepting: request.headers[.accept]) else {
      throw Refusal(
        reason: .client(.notAcceptable),
        sentence: "accept \(shown(request.headers[.accept] ?? "")) not supported; use application/json, "
          + "application/json;verbose or application/jsonlines")
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
      sentence: "the body is larger than the limit of \(limit) bytes", isClosing: true)
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

  /// Returns the image's bytes to the budget; must be called exactly once.
  package func forget() { bodies.give(back: image.count) }

  /// Classifies the image. If the client disconnects before the image reaches the network, the image is
  /// dropped.
  ///
  /// - Parameter waitingTime: how long the image may wait for the network.
  /// - Returns: one probability per class.
  /// - Throws: `Refusal`.
  package func classify(
    with queue: ClassifyingQueue, waitingTime: Duration, for client: ClientPresence?
  ) async throws(Refusal) -> [Float] {
    let ticket: ClassifyingQueue.Ticket
    do throws(ClassifyingQueue.Refusal) {
      ticket = try queue.submit(image, from: client?.address ?? "", deadline: .now + waitingTime)
    } catch {
      throw Refusal(reason: .busy, sentence: "too many images are waiting")
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
      throw Refusal(reason: .gone, sentence: "the client has disconnected", isClosing: true)
    } catch {
      throw Refusal(reason: .late, sentence: "the image waited longer than \(waitingTime)")
    }
  }
}

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
