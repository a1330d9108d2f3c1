/// What a connection may take.
package struct ConnectionLimits: Sendable {
  /// A connection on which no request begins for so long is closed: also one whose head comes a byte at a time.
  package var idleTime = Duration.seconds(60)
  /// A body that is not there so long after its head is not waited for.
  package var bodyTime = Duration.seconds(30)
  /// Where bodies may be large: each so many bytes that have come buy another second; nil: they buy nothing.
  package var bodyBytesPerSecond: Int?
  /// A client that asks first is told not to send a larger body.
  package var maximumBodyByteCount = 6 << 20
  package init() {}
}
