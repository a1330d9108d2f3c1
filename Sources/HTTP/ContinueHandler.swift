import HTTPTypes
package import NIOCore
package import NIOHTTPTypes

/// Tells clients that ask first to go on, at once: botocore waits for a second otherwise, with every object it puts.
///
/// It also ends the connection of a client that leaves in the middle of a body, which the server would go on waiting for.
/// It stands behind the decoder of HTTP and before the server, like other handlers of a connection.
package final class ContinueHandler: ChannelInboundHandler, RemovableChannelHandler {
  package typealias InboundIn = HTTPRequestPart
  package typealias InboundOut = HTTPRequestPart
  package typealias OutboundOut = HTTPResponsePart

  private var isBodyComing = false

  package init() {}

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      isBodyComing = true
      if head.headerFields[.expect]?.lowercased() == "100-continue" {
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
      }
    case .body: break
    case .end: isBodyComing = false
    }
    context.fireChannelRead(data)
  }

  package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed? = event as? ChannelEvent, isBodyComing { context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
  }
}
