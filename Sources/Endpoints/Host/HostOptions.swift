public import HTTP

/// The address of a model host, and its limits.
public struct HostOptions: Sendable {
  /// The host name or address to listen on.
  public var hostname = "127.0.0.1"
  /// The port to listen on; 0 picks a free one.
  public var port = 8080
  /// The largest request body, in MiB: SageMaker's MaxPayloadInMB.
  public var maximumPayloadMegabytes = 6
  /// The number of concurrent requests that a batch transform is told to send.
  public var concurrentTransforms = 32
  /// The maximum number of connections with a request in progress. Requests on further connections get 503;
  /// idle connections are closed first.
  public var connections = 1024
  /// Host names of the server, without a port, in addition to the loopback names and `hostname`; `*` accepts
  /// every name.
  public var allowedHosts: [String] = []
  /// Other sites, `http://name:port`, whose pages may send requests.
  public var allowedOrigins: [String] = []
  /// Closes a connection on which no request head is completed within this time. A head that trickles in byte
  /// by byte gets no extension.
  public var idleTime = Duration.seconds(60)
  /// Closes a connection whose request body is not complete within this time after the head.
  public var bodyTime = Duration.seconds(30)
  /// Refuses an image that has not reached the network within this time after its body; SageMaker itself
  /// waits 60 s.
  public var waitingTime = Duration.seconds(55)
  /// How long requests in progress may take to finish after shutdown begins; SageMaker kills the container 30
  /// s after SIGTERM.
  public var graceTime = Duration.seconds(25)
  public init() {}

  var maximumBodyByteCount: Int { maximumPayloadMegabytes << 20 }

  var connectionLimits: ConnectionLimits {
    var limits = ConnectionLimits()
    limits.idleTime = idleTime
    limits.bodyTime = bodyTime
    limits.maximumBodyByteCount = maximumBodyByteCount
    return limits
  }
}

extension HostOptions {
  /// Applies the settings that SageMaker passes to its containers in environment variables:
  /// SAGEMAKER_BIND_TO_PORT, SAGEMAKER_MAX_PAYLOAD_IN_MB (0 means streaming and is taken as 100), and
  /// SAGEMAKER_MAX_CONCURRENT_TRANSFORMS.
  ///
  /// - Throws: `ServerError` if a variable is not a number in its range.
  public mutating func apply(_ environment: [String: String]) throws(ServerError) {
    if let port = try Self.number(environment, "SAGEMAKER_BIND_TO_PORT", 1...65_535) { self.port = port }
    if let size = try Self.number(environment, "SAGEMAKER_MAX_PAYLOAD_IN_MB", 0...100) {
      maximumPayloadMegabytes = size == 0 ? 100 : size
    }
    if let count = try Self.number(environment, "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", 0...10_000), count > 0
    {
      concurrentTransforms = count
    }
  }

  private static func number(_ environment: [String: String], _ name: String, _ range: ClosedRange<Int>)
    throws(ServerError) -> Int?
  {
    guard let text = environment[name], !text.isEmpty else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw ServerError(
        "\(name) is '\(text)'; a whole number from \(range.lowerBound) to \(range.upperBound) is expected")
    }
    return value
  }
}
