import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// SageMaker's hosting contract: three paths.
struct HostResponder: HTTPResponder {
  let invocations: Invocations
  let logger: Logger

  struct Context: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
      coreContext = CoreRequestContextStorage(source: source)
      channel = source.channel
    }
  }

  func respond(to request: Request, context: Context) async throws -> Response {
    let start = ContinuousClock.now
    let response = try await answer(request, context)
    logger.info(
      "\(request.method.rawValue) \(shown(request.uri.path)) \(response.status.code) \(milliseconds(.now - start)) ms"
    )
    return response
  }

  private func answer(_ request: Request, _ context: Context) async throws -> Response {
    switch (request.uri.path, request.method) {
    case ("/ping", .get), ("/ping", .head): return Response(status: .ok)
    case ("/invocations", .post): return try await invocations.respond(to: request, on: context.channel)
    case ("/execution-parameters", .get), ("/execution-parameters", .head):
      return executionParameters(invocations.options, isHead: request.method == .head)
    case ("/ping", _), ("/execution-parameters", _): return notAllowed(request, "GET, HEAD")
    case ("/invocations", _): return notAllowed(request, "POST")
    default:
      return .refusal(
        .notFound,
        "there is no \(shown(request.uri.path)); /ping, /invocations and /execution-parameters are",
        closing: hasBody(request))
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
      "\(shown(request.method.rawValue)) does not go with \(shown(request.uri.path)); "
        + "\(allowed) does", closing: hasBody(request))
    response.headers[.allow] = allowed
    return response
  }

  /// Whether a body may follow that nobody reads.
  private func hasBody(_ request: Request) -> Bool {
    request.headers[.transferEncoding] != nil || request.headers[.contentLength].map { $0 != "0" } ?? false
  }
}

/// "12.3"
func milliseconds(_ duration: Duration) -> String {
  let tenths = Int64(exactly: (duration / .microseconds(100)).rounded()) ?? 0
  return "\(tenths / 10).\(tenths % 10)"
}
