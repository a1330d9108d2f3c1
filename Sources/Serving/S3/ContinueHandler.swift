import HTTPTypes
package import NIOCore
package import NIOHTTPTypes

/// Tells clients that ask first to go on, at once: botocore waits for a second otherwise, with every object it puts.
///
/// It stands behind the decoder of HTTP and before the server, like other handlers of a connection.
package final class ContinueHandler: ChannelInboundHandler, RemovableChannelHandler {
  package typealias InboundIn = HTTPRequestPart
  package typealias InboundOut = HTTPRequestPart
  package typealias OutboundOut = HTTPResponsePart

  package init() {}

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if case .head(let head) = unwrapInboundIn(data), head.headerFields[.expect]?.lowercased() == "100-continue" {
      context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
    }
    context.fireChannelRead(data)
  }
}
