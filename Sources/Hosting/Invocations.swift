import HTTPTypes
import Hummingbird
import Inference
import NIOCore
import Synchronization

/// `POST /invocations` of one model: an image in, its probabilities out.
///
/// It knows no path: a server of several models has one of these for each.
struct Invocations: Sendable {
  let queue: ClassifyingQueue
  let options: HostOptions
  let presences: ClientPresences
  let bodies = ReceivedBytes()

  func respond(to request: Request, on channel: any Channel) async throws -> Response {
    guard MediaTypes.isImage(request.headers[.contentType]) else {
      return .refusal(
        .unsupportedMediaType,
        "content-type \(shown(request.headers[.contentType] ?? "")) not supported; "
          + "\(MediaTypes.images.joined(separator: ", ")) are")
    }
    if let encoding = request.headers[.contentEncoding], encoding.lowercased() != "identity" {
      return .refusal(
        .unsupportedMediaType, "content-encoding \(shown(encoding)) not supported; send the image as it is")
    }
    guard let format = MediaTypes.format(accepting: request.headers[.accept]) else {
      return .refusal(
        .notAcceptable,
        "accept \(shown(request.headers[.accept] ?? "")) not supported; application/json and "
          + "application/jsonlines are")
    }
    switch try await receive(request) {
    case .refused(let response): return response
    case .body(let body):
      defer { bodies.give(back: body.count) }
      if body.isEmpty { return .refusal(.badRequest, "the body is empty; a JPEG or PNG image is expected") }
      return try await classify(body, as: format, for: presences.presence(on: channel))
    }
  }

  private enum Received {
    case body([UInt8])
    case refused(Response)
  }

  private func receive(_ request: Request) async throws -> Received {
    let limit = options.maximumBodyByteCount
    let tooLarge = Response.refusal(
      .contentTooLarge, "the body is larger than the \(limit) bytes allowed here", closing: true)
    let length = request.headers[.contentLength].flatMap { Int($0) } ?? 0
    guard length <= limit else { return .refused(tooLarge) }
    var body: [UInt8] = []
    body.reserveCapacity(min(length, 1 << 20))
    var isTaken = false
    defer { if !isTaken { bodies.give(back: body.count) } }
    for try await part in request.body {
      guard part.readableBytes <= limit - body.count else { return .refused(tooLarge) }
      guard bodies.take(part.readableBytes) else {
        return .refused(.busy("too many images are being received", closing: true))
      }
      unsafe part.withUnsafeReadableBytes { unsafe body.append(contentsOf: $0) }
    }
    isTaken = true
    return .body(body)
  }

  private func classify(_ image: [UInt8], as format: PredictionFormat, for client: ClientPresence?)
    async throws -> Response
  {
    let ticket: ClassifyingQueue.Ticket
    do throws(ClassifyingQueue.Refusal) {
      ticket = try queue.submit(image, deadline: .now + options.waitingTime)
    } catch {
      return .busy("too many images wait")
    }
    client?.onLeaving { ticket.drop() }
    defer { client?.forget() }
    do {
      let probabilities = try await ticket.probabilities()
      return Response(
        status: .ok, headers: [.contentType: format.mediaType],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: format.text(probabilities))))
    } catch ClassificationError.image(let error) {
      return .refusal(.badRequest, "unable to evaluate payload provided: \(error)")
    } catch let error as ClassificationError {
      return .refusal(.internalServerError, error.description)
    } catch ClassifyingQueue.Refusal.dropped {
      return .refusal(.badRequest, "the client has gone", closing: true)
    } catch {
      return .busy("the image waited longer than \(options.waitingTime)")
    }
  }
}

/// Bytes of all bodies that are being received or wait: clients that send much at once share what there is.
final class ReceivedBytes: Sendable {
  private let count = Mutex(0)
  private static let limit = 1 << 30

  /// - Returns: `false`, with nothing taken, where there is no more room.
  func take(_ byteCount: Int) -> Bool {
    count.withLock { count in
      guard byteCount <= Self.limit - count else { return false }
      count += byteCount
      return true
    }
  }

  func give(back byteCount: Int) { count.withLock { $0 -= byteCount } }
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

/// A string in quotes, all but printable ASCII escaped.
private func jsonString(_ text: String) -> String {
  var result = "\""
  for unit in text.utf16 {
    switch unit {
    case 0x22, 0x5C: result += "\\" + String(UnicodeScalar(UInt8(unit)))
    case 0x20..<0x7F: result += String(UnicodeScalar(UInt8(unit)))
    default:
      let digits = String(unit, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
  }
  return result + "\""
}

/// What a client sent, for a message: printable ASCII, and not much of it.
func shown(_ text: String) -> String {
  String(
    text.unicodeScalars.prefix(200).map {
      (0x21..<0x7F).contains($0.value) || $0 == " " ? Character($0) : "?"
    })
}
