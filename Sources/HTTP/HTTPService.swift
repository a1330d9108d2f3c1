import Encodings
import HTTPTypes
package import HummingbirdCore
package import Logging
package import NIOCore
import NIOHTTP1
import NIOPosix
package import ServiceLifecycle

/// A server of HTTP/1.1. Each response gets the fields `Date` and `Server`; where `respond` throws, it has status 500.
///
/// - Parameters:
///   - port: 0 picks a free one.
///   - connections: decides when to accept another one; nil: always.
///   - channel: what a connection runs through; it hands requests to the responder that it is given.
///   - onStart: called once the server listens.
/// - Throws: never, for HTTP/1.1.
package func httpService(
  hostname: String, port: Int, connections: (any AvailableConnectionsDelegate)? = nil, logger: Logger,
  channel: @escaping @Sendable (@escaping HTTPChannelHandler.Responder) throws -> any ServerChildChannel,
  onStart: @escaping @Sendable (any Channel) async -> Void,
  respond: @escaping @Sendable (Request, any Channel) async throws -> Response
) throws -> any Service {
  try HTTPServerBuilder(channel).buildServer(
    configuration: ServerConfiguration(
      address: .hostname(hostname, port: port), backlog: 1024, availableConnectionsDelegate: connections),
    eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger
  ) { request, writer, channel in
    var response: Response
    do {
      response = try await respond(request, channel)
    } catch let error as HTTPParserError {
      // The channel answers it.
      throw error
    } catch {
      response = Response(status: .internalServerError)
    }
    response.headers[.date] = UTCTime.now.httpDate
    response.headers[.server] = "imrec"
    do {
      try await writer.write(response: response.head, body: response.body)
    } catch is HTTPParserError {
      // The request's body was malformed, but its response has begun: a second one must not follow.
      throw ServerError("the body of the request is malformed")
    }
  } onServerRunning: {
    await onStart($0)
  }
}
