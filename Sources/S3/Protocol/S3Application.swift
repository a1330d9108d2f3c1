import HTTP
package import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore

/// A stand-alone S3 server on the loopback interface, for tests and benchmarks.
package enum S3Application {
  private struct Responder: HTTPResponder {
    let service: S3Service

    func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
      await service.respond(to: request)
    }
  }

  /// - Parameters:
  ///   - port: the port to listen on; 0 picks a free one.
  ///   - onStart: called with the port as soon as requests are answered.
  package static func make(
    _ service: S3Service, port: Int, logger: Logger, onStart: @escaping @Sendable (Int) -> Void
  ) -> some ApplicationProtocol {
    let connection = HTTP1Channel.Configuration(
      additionalChannelHandlers: [ContinueHandler()],
      httpDecoderConfiguration: .init(
        maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 100))
    return Application(
      responder: Responder(service: service),
      server: .http1(configuration: connection),
      configuration: ApplicationConfiguration(
        address: .hostname("127.0.0.1", port: port), serverName: "imrec", backlog: 1024),
      onServerRunning: { onStart($0.localAddress?.port ?? port) }, logger: logger)
  }
}
