import HTTP
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Routes requests to the three paths of SageMaker's hosting contract.
struct HostResponder: Sendable {
  let invocations: Invocations
  let logger: Logger

  func respond(to request: Request, from client: ClientPresence?) async throws -> Response {
    let start = ContinuousClock.now
    let response = try await answer(request, client)
    logger.info(
      "\(request.method.rawValue) \(shown(request.uri.path)) \(response.status.code) \(milliseconds(.now - start)) ms"
    )
    return response
  }

  private func answer(_ request: Request, _ client: ClientPresence?) async throws -> Response {
    switch (request.uri.path, request.method) {
    case ("/ping", .get), ("/ping", .head): return Response(status: .ok)
    case ("/invocations", .post): return try await invocations.respond(to: request, from: client)
    case ("/execution-parameters", .get), ("/execution-parameters", .head):
      return executionParameters(invocations.options, isHead: request.method == .head)
    case ("/ping", _), ("/execution-parameters", _): return notAllowed(request, "GET, HEAD")
    case ("/invocations", _): return notAllowed(request, "POST")
    default:
      return .refusal(
        .notFound,
        "there is no \(shown(request.uri.path)); use /ping, /invocations or /execution-parameters",
        closing: request.mayHaveBody)
    }
  }

  private func executionParameters(_ options: HostOptions, isHead: Bool) -> Response {
    let text =
      "{\"MaxConcurrentTransforms\": \(options.concurrentTransforms), \"BatchStrategy\": \"SINGLE_RECORD\", "
      + "\"MaxPayloadInMB\": \(options.maximumPayloadMegabytes)}\n"
    return Response(
      status: .ok,
      headers: [.contentType: "application/json", .contentLength: "\(text.utf8.count)"],
      body: isHead ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  private func notAllowed(_ request: Request, _ allowed: String) -> Response {
    var response = Response.refusal(
      .methodNotAllowed,
      "\(shown(request.method.rawValue)) is not allowed on \(shown(request.uri.path)); "
        + "use \(allowed)", closing: request.mayHaveBody)
    response.headers[.allow] = allowed
    return response
  }
}
