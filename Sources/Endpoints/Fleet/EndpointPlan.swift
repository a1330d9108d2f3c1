/// An endpoint as it should be: what CreateEndpoint and its configuration say.
public struct EndpointPlan: Hashable, Sendable {
  public var name: String
  public var configurationName: String
  /// At least one; they share the requests by weight.
  public var variants: [VariantPlan]
  /// They get copies of requests, and their answers go nowhere.
  public var shadowVariants: [VariantPlan] = []
  public var capture: CapturePlan?

  public init(name: String, configurationName: String, variants: [VariantPlan]) {
    self.name = name
    self.configurationName = configurationName
    self.variants = variants
  }
}

/// A production or a shadow variant.
public struct VariantPlan: Hashable, Sendable {
  public var name: String
  public var model: ModelPlan
  /// At least 0. Of the requests a variant gets its weight's share of the sum of all; of a shadow variant the weight
  /// over that of the production variants is the share of requests that it gets a copy of.
  public var weight = 1.0
  /// Echoed: all variants run on the cores of this machine.
  public var instanceCount = 1

  public init(name: String, model: ModelPlan, weight: Double = 1) {
    self.name = name
    self.model = model
    self.weight = weight
  }
}

/// A model's data on this machine. Equal ones are loaded once.
public struct ModelPlan: Hashable, Sendable {
  /// SageMaker's ModelName.
  public var name: String
  /// A folder or an archive.
  public var path: String
  /// Tells two contents of the same path apart: an ETag or a time.
  public var version: String

  public init(name: String, path: String, version: String = "") {
    self.name = name
    self.path = path
    self.version = version
  }

  /// What is loaded once, whatever models are called.
  var key: Key { Key(path: path, version: version) }

  struct Key: Hashable, Sendable { let path: String, version: String }
}

/// SageMaker's DataCaptureConfig.
public struct CapturePlan: Hashable, Sendable {
  public var isEnabled = true
  /// Percent of the requests, 0...100.
  public var samplingPercentage = 100
  /// Objects appear below `DESTINATION/ENDPOINT/VARIANT/yyyy/mm/dd/hh/`.
  public var destination: String
  public var capturesInput = true
  public var capturesOutput = true
  /// Content types whose data is written as text, in lower case; all others in base64.
  public var csvContentTypes: [String] = []
  public var jsonContentTypes: [String] = []

  public init(destination: String) { self.destination = destination }
}

/// A weight or a count of UpdateEndpointWeightsAndCapacities.
public struct VariantChange: Hashable, Sendable {
  public var name: String
  public var weight: Double?
  public var instanceCount: Int?

  public init(name: String, weight: Double? = nil, instanceCount: Int? = nil) {
    self.name = name
    self.weight = weight
    self.instanceCount = instanceCount
  }
}

/// How much a fleet of endpoints takes on.
public struct FleetLimits: Sendable {
  /// Different models in memory at once.
  public var models = 32
  /// Images that wait at a production variant; more are refused.
  public var waiting = 256
  /// Images that wait for all shadow variants of an endpoint together; more are dropped.
  public var shadows = 32
  /// Bytes of captured requests and answers that are not stored yet; more are dropped.
  public var captureByteCount = 64 << 20
  /// A captured object is stored when it has so many bytes, or is so old.
  public var captureObjectByteCount = 1 << 20
  public var captureTime = Duration.seconds(60)
  /// SageMaker waits so long for an answer.
  public var waitingTime = Duration.seconds(60)
  public init() {}
}

/// Why an endpoint cannot be made, changed or asked.
public struct EndpointError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case notFound, exists, invalid
    /// Another change of it is under way.
    case busy
    /// Its models are not loaded yet.
    case notReady
    /// More models than `FleetLimits` allows.
    case tooMany
    /// A model cannot be loaded.
    case model
  }
  public let reason: Reason
  public let description: String

  public init(_ reason: Reason, _ description: String) {
    self.reason = reason
    self.description = description
  }
}
