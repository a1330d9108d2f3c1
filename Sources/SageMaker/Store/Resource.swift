public import Encodings
import GRDB

/// The kinds of resources that SageMaker's operations create.
public enum ResourceKind: String, CaseIterable, Sendable {
  case trainingJob, tuningJob, model, transformJob, endpointConfig, endpoint

  var table: String {
    switch self {
    case .trainingJob: "training_job"
    case .tuningJob: "tuning_job"
    case .model: "model"
    case .transformJob: "transform_job"
    case .endpointConfig: "endpoint_config"
    case .endpoint: "endpoint"
    }
  }

  /// The resource type in ARNs.
  var arnName: String {
    switch self {
    case .trainingJob: "training-job"
    case .tuningJob: "hyper-parameter-tuning-job"
    case .model: "model"
    case .transformJob: "transform-job"
    case .endpointConfig: "endpoint-config"
    case .endpoint: "endpoint"
    }
  }

  /// The name in operations and members: `CreateModel`, `ModelName`, `ModelArn`.
  var apiName: String {
    switch self {
    case .trainingJob: "TrainingJob"
    case .tuningJob: "HyperParameterTuningJob"
    case .model: "Model"
    case .transformJob: "TransformJob"
    case .endpointConfig: "EndpointConfig"
    case .endpoint: "Endpoint"
    }
  }

  /// What a job does: `TrainingEndTime` is the member of `Resource.state` that has the time of its end.
  package var activity: String { apiName.hasSuffix("Job") ? String(apiName.dropLast(3)) : apiName }

  /// The name in AWS's messages.
  var words: String {
    switch self {
    case .trainingJob: "training job"
    case .tuningJob: "hyperparameter tuning job"
    case .model: "model"
    case .transformJob: "transform job"
    case .endpointConfig: "endpoint configuration"
    case .endpoint: "endpoint"
    }
  }

  /// The kind and the name in an ARN; nil if it is not the ARN of one of these kinds.
  static func parse(arn: String) -> (kind: ResourceKind, name: String)? {
    guard
      let last = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).dropFirst(5).first
    else { return nil }
    let parts = last.split(separator: "/", maxSplits: 1)
    guard parts.count == 2, let kind = allCases.first(where: { $0.arnName == parts[0] }) else { return nil }
    return (kind, String(parts[1]))
  }
}

/// One job, model, endpoint or endpoint configuration, as stored.
public struct Resource: Sendable {
  public let name: String
  public let arn: String
  /// The time of creation, in seconds since 1970.
  public let created: Double
  /// The time of the last change, in seconds since 1970.
  public internal(set) var modified: Double
  /// SageMaker's status, such as InProgress; empty for a model or an endpoint configuration.
  public var status: String
  /// The name of the tuning job that a training job belongs to; nil for all others.
  public let parent: String?
  /// The final objective of a tuning job's training job; nil until it is known.
  public var objective: Double?
  /// The create request, without its tags.
  public var request: JSON
  /// The members that a Describe response has beyond the request. Members whose names start with a lowercase letter are
  /// imrec's own and are never shown.
  public var state: JSON

  public init(
    name: String, arn: String, created: Double, status: String, parent: String? = nil, request: JSON,
    state: JSON = [:]
  ) {
    self.name = name
    self.arn = arn
    self.created = created
    modified = created
    self.status = status
    self.parent = parent
    self.request = request
    self.state = state
  }
}

extension Resource {
  /// The statuses of jobs that have not ended.
  static let unendedStatuses = ["InProgress", "Stopping"]

  /// Whether a job has not ended: it is InProgress or Stopping.
  package var isInWork: Bool { Self.unendedStatuses.contains(status) }

  /// Decodes a row of a resource table.
  ///
  /// - Parameter hasRequest: whether the row has the column `request`; if not, `request` is empty.
  init(_ row: Row, hasRequest: Bool) throws {
    name = row["name"]
    arn = row["arn"]
    created = row["created"]
    modified = row["modified"]
    status = row["status"]
    parent = row["parent"]
    objective = row["objective"]
    request = hasRequest ? try JSON(parsing: Array((row["request"] as String).utf8)) : [:]
    state = try JSON(parsing: Array((row["state"] as String).utf8))
  }
}

/// The secondary status of a training job and its transitions.
extension Resource {
  var secondaryStatus: String { state["SecondaryStatus"]?.text ?? "" }

  /// Ends the current secondary status and starts another.
  mutating func enter(_ status: String, _ message: String, at time: Double) {
    var transitions = state["SecondaryStatusTransitions"]?.list ?? []
    if var last = transitions.popLast() {
      last["EndTime"] = .number(time)
      transitions.append(last)
    }
    transitions.append([
      "Status": .string(status), "StartTime": .number(time), "StatusMessage": .string(message),
    ])
    state["SecondaryStatus"] = .string(status)
    state["SecondaryStatusTransitions"] = .list(transitions)
  }

  /// Sets the final status, and a secondary status that ends when it starts.
  mutating func finish(_ status: String, secondary: String, _ message: String, at time: Double) {
    self.status = status
    enter(secondary, message, at: time)
    guard var transitions = state["SecondaryStatusTransitions"]?.list, var last = transitions.popLast() else {
      return
    }
    last["EndTime"] = .number(time)
    state["SecondaryStatusTransitions"] = .list(transitions + [last])
  }
}

extension ResourceKind {
  var isJob: Bool { [.trainingJob, .tuningJob, .transformJob].contains(self) }

  /// The statuses in which a resource counts towards its quota.
  var countedStatuses: [String] {
    switch self {
    case .trainingJob, .tuningJob, .transformJob: Resource.unendedStatuses
    case .model, .endpointConfig: [""]
    case .endpoint: ["Creating", "Updating", "InService", "Failed", "Deleting", "RollingBack"]
    }
  }

  /// The error for a resource that does not exist, in AWS's words.
  func missing(_ arn: String) -> ControlPlaneError {
    isJob
      ? ControlPlaneError(.notFound, "Requested resource not found.")
      : .invalid("Could not find \(words) \"\(arn)\".")
  }

  /// The error for a name that is already in use, in AWS's words.
  func taken(_ arn: String) -> ControlPlaneError {
    switch self {
    case .trainingJob, .transformJob, .tuningJob:
      let name = words.prefix(1).uppercased() + words.dropFirst()
      return ControlPlaneError(
        .inUse,
        "\(name) names must be unique within an AWS account and region, and a \(words) with this name already exists "
          + "(\(arn))")
    case .model, .endpoint, .endpointConfig:
      return .invalid("Cannot create already existing \(words) \"\(arn)\".")
    }
  }
}
