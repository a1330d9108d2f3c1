import Encodings
import Files
public import S3

/// Who asks: both only stand in ARNs and in answers.
public struct Caller: Hashable, Sendable {
  public var region: String
  /// Twelve digits.
  public var account: String

  public init(region: String = "us-east-1", account: String = "123456789012") {
    self.region = region
    self.account = account
  }

  func arn(_ kind: ResourceKind, _ name: String) -> String {
    let partition = region.hasPrefix("cn-") ? "aws-cn" : region.hasPrefix("us-gov-") ? "aws-us-gov" : "aws"
    return "arn:\(partition):sagemaker:\(region):\(account):\(kind.arnName)/\(name)"
  }
}

/// SageMaker's control plane on one machine: operations in, answers out, and jobs that really run.
///
/// It knows nothing of HTTP. Operations only read and write the store, and hand jobs to the engine, which works while
/// `run` does.
public final class SageMakerAPI: Sendable {
  public let options: ControlPlaneOptions
  public let store: Store
  let objects: any ObjectSource
  let endpoints: any EndpointHost
  let engine: JobEngine
  let now: @Sendable () -> Double

  /// Bytes of a request.
  public static let largestBody = 1 << 20

  /// - Parameters:
  ///   - options: `root` is made where it is not there.
  ///   - tuner: nil: tuning jobs fail, with that reason.
  ///   - now: seconds since 1970.
  /// - Throws: where the store cannot be opened.
  public init(
    _ options: ControlPlaneOptions, objects: any ObjectSource, endpoints: any EndpointHost = NoEndpointHost(),
    now: @escaping @Sendable () -> Double = secondsSince1970
  ) throws {
    try makeFolder(options.root)
    self.options = options
    self.objects = objects
    self.endpoints = endpoints
    self.now = now
    store = try Store(join(options.root, "imrec.sqlite"), lockTime: options.lockTime, now: now)
    engine = JobEngine(store: store, objects: objects, endpoints: endpoints, options: options, now: now)
  }

  /// Runs jobs until the task is cancelled; then asks those that run to end, and leaves the rest to the next start.
  public func run() async throws { try await engine.run() }

  /// Where a job keeps its files; it is made when the job begins.
  package func folder(of kind: ResourceKind, _ name: String) -> String {
    engine.folder(of: .init(kind, name))
  }

  /// Answers one operation.
  ///
  /// - Parameters:
  ///   - operation: "CreateTrainingJob"; what X-Amz-Target names after its dot.
  ///   - body: JSON; nothing is as good as an empty object.
  /// - Returns: JSON; empty for operations that return nothing.
  /// - Throws: what AWS would answer.
  public func respond(
    to operation: String, body: [UInt8], from caller: Caller
  ) async throws(ControlPlaneError) -> [UInt8] {
    guard let shapes = Shapes.standard.operations[operation] else {
      throw ControlPlaneError(
        .unknownOperation,
        Shapes.standard.others.contains(operation)
          ? "\(operation) is an operation of SageMaker that imrec does not have."
          : "SageMaker has no operation \(operation.prefix(100)).")
    }
    let request = try Violations.check(Self.json(body), as: shapes.input)
    let answer = try await answer(operation, Call(request: request, caller: caller, time: now()))
    return answer?.bytes ?? []
  }

  static func json(_ body: [UInt8]) throws(ControlPlaneError) -> JSON {
    guard body.count <= largestBody else {
      throw ControlPlaneError(.serialization, "The request has more than \(largestBody) bytes.")
    }
    do throws(JSONError) { return body.isEmpty ? [:] : try JSON(parsing: body) } catch {
      throw ControlPlaneError(.serialization, "The request is no JSON: \(error)")
    }
  }

  /// One operation's checked request.
  struct Call: Sendable {
    let request: JSON
    let caller: Caller
    let time: Double

    /// A member that the shape requires.
    func text(_ name: String) -> String { request[name]?.text ?? "" }
    func arn(_ kind: ResourceKind, _ name: String) -> String { caller.arn(kind, name) }
    var tags: [String: String] {
      Dictionary(
        (request["Tags"]?.list ?? []).compactMap { tag in
          tag["Key"]?.text.map { ($0, tag["Value"]?.text ?? "") }
        }
      ) { $1 }
    }
  }

  private func answer(_ operation: String, _ call: Call) async throws(ControlPlaneError) -> JSON? {
    switch operation {
    case "CreateTrainingJob": return try await createTrainingJob(call)
    case "DescribeTrainingJob": return try await describeTrainingJob(call)
    case "ListTrainingJobs": return try await listTrainingJobs(call)
    case "StopTrainingJob": try await stop(.trainingJob, call.text("TrainingJobName"))
    case "DeleteTrainingJob": try await deleteTrainingJob(call)
    case "CreateHyperParameterTuningJob": return try await createTuningJob(call)
    case "DescribeHyperParameterTuningJob": return try await describeTuningJob(call)
    case "ListHyperParameterTuningJobs": return try await listTuningJobs(call)
    case "StopHyperParameterTuningJob": try await stop(.tuningJob, call.text("HyperParameterTuningJobName"))
    case "DeleteHyperParameterTuningJob": try await deleteTuningJob(call)
    case "ListTrainingJobsForHyperParameterTuningJob": return try await listTrainingJobsOfTuning(call)
    case "CreateModel": return try await createModel(call)
    case "DescribeModel": return try await describeModel(call)
    case "ListModels": return try await listModels(call)
    case "DeleteModel": try await delete(.model, call.text("ModelName"), call)
    case "CreateTransformJob": return try await createTransformJob(call)
    case "DescribeTransformJob": return try await describeTransformJob(call)
    case "ListTransformJobs": return try await listTransformJobs(call)
    case "StopTransformJob": try await stop(.transformJob, call.text("TransformJobName"))
    case "CreateEndpointConfig": return try await createEndpointConfig(call)
    case "DescribeEndpointConfig": return try await describeEndpointConfig(call)
    case "ListEndpointConfigs": return try await listEndpointConfigs(call)
    case "DeleteEndpointConfig": try await delete(.endpointConfig, call.text("EndpointConfigName"), call)
    case "CreateEndpoint": return try await createEndpoint(call)
    case "DescribeEndpoint": return try await describeEndpoint(call)
    case "ListEndpoints": return try await listEndpoints(call)
    case "UpdateEndpoint": return try await updateEndpoint(call)
    case "UpdateEndpointWeightsAndCapacities": return try await updateWeights(call)
    case "DeleteEndpoint": try await deleteEndpoint(call)
    case "AddTags": return try await addTags(call)
    case "ListTags": return try await listTags(call)
    case "DeleteTags": return try await deleteTags(call)
    default: throw ControlPlaneError(.unknownOperation, "imrec does not have \(operation).")
    }
    return nil
  }
}
