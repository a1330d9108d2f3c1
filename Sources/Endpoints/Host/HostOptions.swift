public import HTTP

/// Where a model is hosted, and how much it takes on.
public struct HostOptions: Sendable {
  public var hostname = "127.0.0.1"
  /// 0: any free one.
  public var port = 8080
  /// The largest body, in MiB: SageMaker's MaxPayloadInMB.
  public var maximumPayloadMegabytes = 6
  /// Requests side by side that a batch transform is told to send.
  public var concurrentTransforms = 32
  /// Connections with a request in work; requests on others are refused, and idle ones give way before.
  public var connections = 1024
  /// Names, without a port, under which it is reached beside those of the loopback and `hostname`; `*`: all.
  public var allowedHosts: [String] = []
  /// Other sites, `http://name:port`, whose pages may ask.
  public var allowedOrigins: [String] = []
  /// A connection on which no request begins for so long is closed: also one whose head comes a byte at a time.
  public var idleTime = Duration.seconds(60)
  /// A body that is not there so long after its head is not waited for.
  public var bodyTime = Duration.seconds(30)
  /// A request that is not in the network so long after its body is refused: SageMaker itself waits 60 s.
  public var waitingTime = Duration.seconds(55)
  /// What is in work when the server is asked to stop has so long to end: SageMaker kills 30 s after it asked.
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
  /// Takes over what SageMaker tells its containers by their environment.
  ///
  /// SAGEMAKER_BIND_TO_PORT, SAGEMAKER_MAX_PAYLOAD_IN_MB (0, streaming, is taken as 100), and
  /// SAGEMAKER_MAX_CONCURRENT_TRANSFORMS.
  /// - Throws: where one of them holds no number that makes sense.
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
