public import Encodings
import GRDB

/// The kinds of things that SageMaker's operations make.
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

  /// As its ARNs have it.
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

  /// As AWS's messages call it.
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

  /// The kind, and the name, that an ARN is of.
  static func parse(arn: String) -> (kind: ResourceKind, name: String)? {
    guard
      let last = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).dropFirst(5).first
    else { return nil }
    let parts = last.split(separator: "/", maxSplits: 1)
    guard parts.count == 2, let kind = allCases.first(where: { $0.arnName == parts[0] }) else { return nil }
    return (kind, String(parts[1]))
  }
}

/// One job, model or endpoint as it is kept.
public struct Resource: Sendable {
  public let name: String
  public let arn: String
  /// Seconds since 1970.
  public let created: Double
  public internal(set) var modified: Double
  /// Empty for what has no states.
  public var status: String
  /// Of a training job: the tuning job it belongs to.
  public let parent: String?
  /// Of a tuning job's training job, when it is known.
  public var objective: Double?
  /// What its maker asked for.
  public var request: JSON
  /// What became of it, in the members of its Describe operation; and, with small first letters, what only we know.
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

  /// Of a job: it has not ended.
  package var isInWork: Bool { Self.unendedStatuses.contains(status) }

  /// The row's columns that a list needs; `request` is left empty where it was not asked for.
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
