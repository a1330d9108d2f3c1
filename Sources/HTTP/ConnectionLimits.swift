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
