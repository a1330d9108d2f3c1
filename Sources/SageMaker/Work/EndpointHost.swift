public import Encodings
public import S3

/// What serves endpoints; the control plane only keeps what they are.
public protocol EndpointHost: Sendable {
  /// Loads the models; returns when requests are answered. Also after a restart.
  ///
  /// - Throws: why it cannot be: its description becomes the endpoint's FailureReason.
  func start(_ endpoint: HostedEndpoint) async throws

  /// Goes over to other variants without losing a request.
  ///
  /// - Throws: as `start`; the former variants then still serve.
  func update(_ endpoint: HostedEndpoint) async throws

  /// Finishes what is in work, and lets go of the models.
  func stop(_ name: String) async
}

/// An endpoint as it is to be.
public struct HostedEndpoint: Hashable, Sendable {
  public struct Variant: Hashable, Sendable {
    public var name: String
    public var model: String
    /// Its model.tar.gz, or a prefix that its files are under.
    public var modelData: S3Location?
    public var environment: [String: String]
    /// Its share of the requests, relative to the others'.
    public var weight: Double
    public var instanceCount: Int
    /// Gets a copy of the requests; its answers are only compared.
    public var isShadow: Bool
  }
  public var name: String
  public var config: String
  public var variants: [Variant]
  /// DataCaptureConfig of the endpoint's configuration.
  public var dataCapture: JSON?
}

/// Serves nothing: endpoints are in service, and nobody answers. For a control plane by itself.
public struct NoEndpointHost: EndpointHost {
  public init() {}
  public func start(_ endpoint: HostedEndpoint) async throws {}
  public func update(_ endpoint: HostedEndpoint) async throws {}
  public func stop(_ name: String) async {}
}
