public import Inference

/// The desired state of an endpoint, as given by CreateEndpoint and its configuration.
public struct EndpointPlan: Hashable, Sendable {
  public var name: String
  /// SageMaker's EndpointConfigName; only reported back.
  public var configurationName: String
  /// The production variants, at least one; requests are distributed among them by weight.
  public var variants: [VariantPlan]
  /// Shadow variants receive copies of requests; their answers are compared and discarded.
  public var shadowVariants: [VariantPlan] = []
  /// nil: no requests are captured.
  public var capture: CapturePlan?

  public init(name: String, configurationName: String, variants: [VariantPlan]) {
    self.name = name
    self.configurationName = configurationName
    self.variants = variants
  }
}

/// A production variant or a shadow variant.
public struct VariantPlan: Hashable, Sendable {
  public var name: String
  public var model: ModelPlan
  /// At least 0. A production variant receives requests in proportion to its share of the sum of all
  /// production weights. A shadow variant receives copies of a fraction of the requests: its weight divided
  /// by that sum, at most 1.
  public var weight = 1.0
  /// Only reported back: all variants run on the cores of this machine.
  public var instanceCount = 1

  public init(name: String, model: ModelPlan, weight: Double = 1) {
    self.name = name
    self.model = model
    self.weight = weight
  }
}

/// A model's files on this machine. Models with equal `path` and `version` are loaded once.
public struct ModelPlan: Hashable, Sendable {
  /// SageMaker's ModelName.
  public var name: String
  /// A folder or an archive.
  public var path: String
  /// Distinguishes successive contents of the same path: an ETag or a modification time.
  public var version: String
  /// nil: the model's own; see `ClassifierOptions`.
  public var precision: PrecisionChoice?

  public init(name: String, path: String, version: String = "") {
    self.name = name
    self.path = path
    self.version = version
  }

  /// The identity of the loaded model, independent of its name.
  var key: Key { Key(path: path, version: version, precision: precision) }

  struct Key: Hashable, Sendable {
    let path: String, version: String
    let precision: PrecisionChoice?
  }
}

/// SageMaker's DataCaptureConfig.
public struct CapturePlan: Hashable, Sendable {
  public var isEnabled = true
  /// The percentage of requests to capture, 0...100.
  public var samplingPercentage = 100
  /// `s3://bucket/prefix`; objects are written below `DESTINATION/ENDPOINT/VARIANT/yyyy/mm/dd/hh/`.
  public var destination: String
  /// Whether to capture request bodies.
  public var capturesInput = true
  /// Whether to capture response bodies.
  public var capturesOutput = true
  /// Lower-case content types whose data is captured as text; data of any other type is captured in base64.
  public var csvContentTypes: [String] = []
  public var jsonContentTypes: [String] = []

  public init(destination: String) { self.destination = destination }
}

/// One variant's change in UpdateEndpointWeightsAndCapacities.
public struct VariantChange: Hashable, Sendable {
  public var name: String
  /// The new weight; nil: unchanged.
  public var weight: Double?
  /// The new instance count; nil: unchanged.
  public var instanceCount: Int?

  public init(name: String, weight: Double? = nil, instanceCount: Int? = nil) {
    self.name = name
    self.weight = weight
    self.instanceCount = instanceCount
  }
}

/// The limits of an endpoint fleet.
public struct FleetLimits: Sendable {
  /// The maximum number of different models in memory.
  public var models = 32
  /// The maximum number of images waiting at one production variant; further ones are refused.
  public var waiting = 256
  /// The maximum number of shadow copies waiting, over all shadow variants; further ones are dropped.
  public var shadows = 32
  /// The maximum number of captured bytes not written yet; further records are dropped.
  public var captureByteCount = 64 << 20
  /// A captured object is written when it reaches this size, in bytes, or the age `captureTime`.
  public var captureObjectByteCount = 1 << 20
  /// The maximum age of a captured object that is not written yet.
  public var captureTime = Duration.seconds(60)
  /// How long an image may wait for the network before it is refused; SageMaker waits this long, too.
  public var waitingTime = Duration.seconds(60)
  public init() {}
}

/// Why an endpoint cannot be created, changed or invoked.
public struct EndpointError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case notFound, exists, invalid
    /// Another change of the endpoint is in progress.
    case busy
    /// The endpoint's models are still loading.
    case notReady
    /// The fleet already holds as many models as `FleetLimits` allows.
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
