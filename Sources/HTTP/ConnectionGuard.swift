import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Protects the server from a connection: cuts off slow clients, notices disconnects, and closes a connection
/// whose request was refused before its body was read.
///
/// Exactly one timeout runs at a time: for the request head (a head that trickles in gets no extension), then
/// for the request body, and, after a response that closes the connection, for the client to read it.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private let clients: Clients
  private let limits: ConnectionLimits
  private let origin: RequestOrigin
  private var presence: ClientPresence?
  private var clock: Scheduled<Void>?
  /// The response being written carries `Connection: close`.
  private var isLastAnswer = false
  /// The last response has been written; whatever the client still sends is discarded.
  private var isDiscarding = false
  /// The server is shutting down: the current or next request is the last one on this connection.
  private var isEnding = false
  private var requestsInWork = 0
  private var isBodyComing = false
  private var bodyByteCount = 0
  private var bodyStart = ContinuousClock.now

  /// How long a refused client has to read the response, and how long an idle client has, at shutdown, to
  /// finish sending a request that it has begun.
  private static let lingerTime = TimeAmount.seconds(1)

  init(_ clients: Clients, _ limits: ConnectionLimits, _ origin: RequestOrigin) {
    self.clients = clients
    self.limits = limits
    self.origin = origin
  }

  func handlerAdded(context: ChannelHandlerContext) {
    presence = clients.add(context.channel)
    restartClock(TimeAmount(limits.idleTime), context)
  }

  func handlerRemoved(context: ChannelHandlerContext) { end(context) }

  func channelInactive(context: ChannelHandlerContext) {
    end(context)
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if isDiscarding { return }
    switch unwrapInboundIn(data) {
    case .head(let head):
      let isAdmitted =
        requestsInWork > 0 ? clients.isAdmitted(context.channel) : clients.begins(on: context.channel)
      requestsInWork += 1
      isBodyComing = true
      isLastAnswer = head.headerFields[.connection]?.lowercased() == "close"
      bodyByteCount = 0
      bodyStart = .now
      restartBodyClock(TimeAmount(limits.bodyTime), context)
      // Answer `Expect: 100-continue`, unless the request would be refused anyway.
      if isAdmitted, head.headerFields[.expect]?.lowercased() == "100-continue",
        origin.refusal(of: head, at: context.channel.localAddress?.ipAddress) == nil,
        (head.headerFields[.contentLength].flatMap { Int($0) } ?? 0) <= limits.maximumBodyByteCount
      {
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
      }
    case .body(let part): bodyByteCount += part.readableBytes
    case .end:
      isBodyComing = false
      if requestsInWork > 0 { clock?.cancel() }
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head(var head):
      isLastAnswer = isLastAnswer || head.headerFields[.connection] == "close"
      if requestsInWork == 1, isEnding || clients.isCrowded {
        isLastAnswer = true
        head.headerFields[.connection] = "close"
        context.write(wrapOutboundOut(.head(head)), promise: promise)
        return
      }
    case .body: break
    case .end:
      requestsInWork -= 1
      if requestsInWork == 0 { clients.rests(context.channel) }
      if isLastAnswer {
        // Closing at once would reset the connection while the client is still sending, and the response would
        // be lost.
        isDiscarding = isBodyComing
        let channel = context.channel
        let isDiscarding = isDiscarding
        context.writeAndFlush(data).whenComplete { _ in
          if isDiscarding { channel.close(mode: .output, promise: nil) } else { channel.close(promise: nil) }
        }
        promise?.succeed()
        restartClock(Self.lingerTime, context)
        return
      }
      // A response whose head was written before shutdown began could not carry `Connection: close`.
      if requestsInWork == 0 {
        restartClock(isEnding ? Self.lingerTime : TimeAmount(limits.idleTime), context)
      }
    }
    context.write(data, promise: promise)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed? = event as? ChannelEvent {
      presence?.leave()
      // Nobody waits for a response to an incomplete request.
      if isDiscarding || isBodyComing || requestsInWork == 0 { context.close(promise: nil) }
    }
    if event is ChannelShouldQuiesceEvent {
      // An idle client may be sending its next request right now; closing at once would lose it.
      isEnding = true
      if requestsInWork == 0 { restartClock(Self.lingerTime, context) }
      return
    }
    context.fireUserInboundEventTriggered(event)
  }

  private func restartClock(_ time: TimeAmount, _ context: ChannelHandlerContext) {
    clock?.cancel()
    let channel = context.channel
    clock = context.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
  }

  /// Starts the body timeout. If received bytes extend it, they are counted when the timer fires.
  private func restartBodyClock(_ time: TimeAmount, _ context: ChannelHandlerContext) {
    guard let rate = limits.bodyBytesPerSecond else { return restartClock(time, context) }
    clock?.cancel()
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    clock = context.eventLoop.scheduleTask(in: time) {
      let (handler, context) = bound.value
      guard handler.isBodyComing else { return }
      let allowed =
        handler.limits.bodyTime + .seconds(1) * (Double(handler.bodyByteCount) / Double(max(1, rate)))
      let left = allowed - (.now - handler.bodyStart)
      if left > .zero {
        handler.restartBodyClock(TimeAmount(left), context)
      } else {
        context.close(promise: nil)
      }
    }
  }

  private func end(_ context: ChannelHandlerContext) {
    clock?.cancel()
    clock = nil
    if presence != nil { clients.remove(context.channel) }
    presence = nil
  }
}

/// Timeouts and size limits of a connection.
package struct ConnectionLimits: Sendable {
  /// Closes a connection on which no request head is completed within this time. A head that trickles in byte
  /// by byte gets no extension.
  package var idleTime = Duration.seconds(60)
  /// Closes a connection whose request body is not complete within this time after the head.
  package var bodyTime = Duration.seconds(30)
  /// Extends `bodyTime` by one second for each this many bytes received, for services that accept large
  /// bodies; nil: no extension.
  package var bodyBytesPerSecond: Int?
  /// The largest `Content-Length` that is answered with `100 Continue`.
  package var maximumBodyByteCount = 6 << 20
  package init() {}
}
