import HTTPTypes
package import NIOCore
package import NIOHTTPTypes

/// Answers `Expect: 100-continue` at once; otherwise botocore waits one second before each object it puts.
///
/// Also closes the connection of a client that disconnects in the middle of a request body; the server would
/// wait for the rest forever. Belongs after the HTTP decoder and before the server in the pipeline.
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
