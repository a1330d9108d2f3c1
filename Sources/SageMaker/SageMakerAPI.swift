public import Encodings
import Files
import Foundation
import Glibc
public import Hyperparameters
public import S3

/// The region and account of a request. Both appear only in ARNs and responses: all callers share the same resources.
public struct Caller: Hashable, Sendable {
  /// An AWS region, such as us-east-1.
  public var region: String
  /// The account ID, 12 digits.
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

/// SageMaker's control plane on one machine: it executes API operations and runs the jobs that they create.
///
/// It does not depend on HTTP. Operations read and write the store and submit jobs to the engine, which runs them only
/// while `run` is running.
public final class SageMakerAPI: Sendable {
  public let options: ControlPlaneOptions
  public let store: Store
  let objects: any ObjectSource
  let endpoints: any EndpointHost
  let engine: JobEngine
  let now: @Sendable () -> Double

  /// The largest request body, in bytes.
  public static let largestBody = 1 << 20

  /// - Parameters:
  ///   - options: `options.root` is created if it does not exist.
  ///   - objects: where jobs read their inputs and write their outputs.
  ///   - endpoints: what serves the endpoints.
  ///   - now: returns the current time in seconds since 1970.
  /// - Throws: if the folder cannot be created or the database cannot be opened.
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

  /// Runs jobs until the task is cancelled. Running jobs are then stopped; the next start resumes them and the queued ones.
  public func run() async throws { try await engine.run() }

  /// The folder of a job's files; it is created when the job starts.
  package func folder(of kind: ResourceKind, _ name: String) -> String {
    engine.folder(of: .init(kind, name))
  }

  /// Executes one operation.
  ///
  /// - Parameters:
  ///   - operation: the part of X-Amz-Target after the dot, such as "CreateTrainingJob".
  ///   - body: the request as JSON; an empty body counts as `{}`.
  /// - Returns: the response as JSON; empty if the operation has no output.
  /// - Throws: the error that AWS would return.
  public func respond(
    to operation: String, body: [UInt8], from caller: Caller
  ) async throws(ControlPlaneError) -> [UInt8] {
    guard let shapes = Shapes.standard.operations[operation] else {
      throw ControlPlaneError(
        .unknownOperation,
        Shapes.standard.others.contains(operation)
          ? "imrec does not support SageMaker's operation \(operation)."
          : "SageMaker has no operation '\(operation.prefix(100))'.")
    }
    let request = try Violations.check(Self.json(body), as: shapes.input)
    let answer = try await answer(operation, Call(request: request, caller: caller, time: now()))
    return answer?.bytes ?? []
  }

  static func json(_ body: [UInt8]) throws(ControlPlaneError) -> JSON {
    guard body.count <= largestBody else {
      throw ControlPlaneError(.serialization, "The request body has more than \(largestBody) bytes.")
    }
    do throws(JSONError) { return body.isEmpty ? [:] : try JSON(parsing: body) } catch {
      throw ControlPlaneError(.serialization, "The request body is not valid JSON: \(error)")
    }
  }

  /// A validated request, its caller, and the time of its arrival in seconds since 1970.
  struct Call: Sendable {
    let request: JSON
    let caller: Caller
    let time: Double

    /// A required text member; empty if it is absent.
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
    case "DescribeModel": return try await describe(.model, call)
    case "ListModels": return try await list(.model, call)
    case "DeleteModel": try await delete(.model, call)
    case "CreateTransformJob": return try await createTransformJob(call)
    case "DescribeTransformJob": return try await describeTransformJob(call)
    case "ListTransformJobs": return try await listTransformJobs(call)
    case "StopTransformJob": try await stop(.transformJob, call.text("TransformJobName"))
    case "CreateEndpointConfig": return try await createEndpointConfig(call)
    case "DescribeEndpointConfig": return try await describe(.endpointConfig, call)
    case "ListEndpointConfigs": return try await list(.endpointConfig, call)
    case "DeleteEndpointConfig": try await delete(.endpointConfig, call)
    case "CreateEndpoint": return try await createEndpoint(call)
    case "DescribeEndpoint": return try await describeEndpoint(call)
    case "ListEndpoints": return try await listEndpoints(call)
    case "UpdateEndpoint": return try await updateEndpoint(call)
    case "UpdateEndpointWeightsAndCapacities": return try await updateWeights(call)
    case "DeleteEndpoint": try await deleteEndpoint(call)
    case "AddTags": return try await addTags(call)
    case "ListTags": return try await listTags(call)
    case "DeleteTags": return try await deleteTags(call)
    default:
      throw ControlPlaneError(.unknownOperation, "imrec does not support SageMaker's operation \(operation).")
    }
    return nil
  }
}

extension SageMakerAPI {
  /// Executes a List operation: one page of the resources of a kind, each described by `summary`.
  func list(
    _ kind: ResourceKind, _ call: Call, as member: String, ascending: Bool, sortBy: ListQuery.Key = .created,
    parent: String? = nil, _ summary: (Resource) -> JSON
  ) async throws(ControlPlaneError) -> JSON {
    let request = call.request
    var query = ListQuery()
    query.nameContains = request["NameContains"]?.text
    query.createdAfter = request["CreationTimeAfter"]?.number
    query.createdBefore = request["CreationTimeBefore"]?.number
    query.modifiedAfter = request["LastModifiedTimeAfter"]?.number
    query.modifiedBefore = request["LastModifiedTimeBefore"]?.number
    query.status = request["StatusEquals"]?.text
    query.parent = parent
    query.key =
      switch request["SortBy"]?.text {
      case "Name": .name
      case "CreationTime": .created
      case "Status": .status
      case "FinalObjectiveMetricValue": .objective
      default: sortBy
      }
    query.isAscending = request["SortOrder"]?.text.map { $0 == "Ascending" } ?? ascending
    query.most = request["MaxResults"]?.integer ?? 10
    query.token = request["NextToken"]?.text
    let page = try await store.page(kind, query)
    var answer: JSON = .object([member: .list(page.resources.map(summary))])
    answer["NextToken"] = page.token.map { .string($0) }
    return answer
  }

  /// The resource with a name.
  ///
  /// - Throws: if there is none, `.notFound` for a job and `.validation` for any other kind, as SageMaker does.
  func existing(
    _ kind: ResourceKind, _ name: String, _ call: Call
  ) async throws(ControlPlaneError) -> Resource {
    if let resource = try await store.find(kind, name) { return resource }
    throw kind.missing(call.arn(kind, name))
  }

  /// Stores the resource that a Create operation asks for, if the quota leaves room for it.
  ///
  /// - Parameter state: what a Describe response has beyond the request, and imrec's own members.
  /// - Throws: `.limitExceeded`; `.inUse` or `.validation` if the name is taken.
  func add(
    _ kind: ResourceKind, _ call: Call, status: String = "", state: JSON = [:]
  ) async throws(ControlPlaneError) -> JSON {
    let name = call.text("\(kind.apiName)Name")
    let arn = call.arn(kind, name)
    try options.quotas.check(kind, current: try await store.count(kind, statuses: kind.countedStatuses))
    let resource = Resource(
      name: name, arn: arn, created: call.time, status: status, request: call.request.without("Tags"),
      state: state)
    try await store.insert(kind, resource, tags: call.tags, taken: kind.taken(arn))
    return ["\(kind.apiName)Arn": .string(arn)]
  }

  // Models and endpoint configurations have no status, and are what the request said.

  func describe(_ kind: ResourceKind, _ call: Call) async throws(ControlPlaneError) -> JSON {
    let resource = try await existing(kind, call.text("\(kind.apiName)Name"), call)
    var answer = resource.request
    answer["\(kind.apiName)Arn"] = .string(resource.arn)
    answer["CreationTime"] = .number(resource.created)
    return answer
  }

  func list(_ kind: ResourceKind, _ call: Call) async throws(ControlPlaneError) -> JSON {
    try await list(kind, call, as: "\(kind.apiName)s", ascending: false) { resource in
      [
        "\(kind.apiName)Name": .string(resource.name), "\(kind.apiName)Arn": .string(resource.arn),
        "CreationTime": .number(resource.created),
      ]
    }
  }

  func delete(_ kind: ResourceKind, _ call: Call) async throws(ControlPlaneError) {
    let name = call.text("\(kind.apiName)Name")
    if try await store.delete(kind, name) == nil { throw kind.missing(call.arn(kind, name)) }
  }

  /// Requests that a job stop.
  ///
  /// - Throws: `.validation` if the job has ended; `.notFound` if there is none.
  func stop(_ kind: ResourceKind, _ name: String) async throws(ControlPlaneError) {
    let job = try await engine.askToStop(JobEngine.Work(kind, name)) { job in
      // Stopping a job twice is not an error.
      guard job.status == "InProgress" || job.status == "Stopping" else {
        throw ControlPlaneError.invalid(
          "The request was rejected because the \(kind.words) is in status \(job.status).")
      }
    }
    if job == nil { throw ControlPlaneError(.notFound, "Requested resource not found.") }
  }
}

extension SageMakerAPI {
  func addTags(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let arn = try await tagged(call)
    try await store.addTags(call.tags, to: arn, most: options.quotas.tagsPerResource)
    return try await tagList(of: arn)
  }

  func listTags(_ call: Call) async throws(ControlPlaneError) -> JSON {
    try await tagList(of: try await tagged(call))
  }

  func deleteTags(_ call: Call) async throws(ControlPlaneError) -> JSON {
    let keys = (call.request["TagKeys"]?.list ?? []).compactMap(\.text)
    try await store.deleteTags(keys, of: try await tagged(call))
    return [:]
  }

  /// All tags of a resource; the quota keeps them within one page.
  private func tagList(of arn: String) async throws(ControlPlaneError) -> JSON {
    let tags = try await store.tags(of: arn)
    return ["Tags": .list(tags.map { ["Key": .string($0.key), "Value": .string($0.value)] })]
  }

  /// The ARN of the resource that a request tags.
  ///
  /// - Throws: `.validation` if no resource has this ARN.
  private func tagged(_ call: Call) async throws(ControlPlaneError) -> String {
    let arn = call.text("ResourceArn")
    guard let (kind, name) = ResourceKind.parse(arn: arn) else {
      throw .invalid("'\(arn)' is not the ARN of a job, model, endpoint or endpoint configuration.")
    }
    guard let resource = try await store.find(kind, name), resource.arn == arn else {
      throw .invalid("Could not find \(kind.words) \"\(arn)\".")
    }
    return arn
  }
}

/// Where the control plane stores its state, how it runs jobs, and how much it accepts.
public struct ControlPlaneOptions: Sendable {
  /// The absolute path of the folder with all state: `imrec.sqlite`, `jobs`, `transforms` and `tunings`.
  public var root: String
  /// How many training and transform jobs run at once; the others are queued.
  public var runningJobs = 1
  /// Compute threads per job.
  public var threads = 1
  /// The time between SIGTERM and SIGKILL when a job is stopped; the default is SageMaker's.
  public var gracePeriod = Duration.seconds(120)
  /// How long an operation waits while another process holds the lock on the database.
  public var lockTime = Duration.seconds(5)
  /// The executable that runs each job; by default, this program.
  public var program = "/proc/self/exe"
  /// Environment variables for every job process; the variables of a request override them.
  public var environment: [String: String] = [:]
  /// Limits on the number of jobs and other resources.
  public var quotas = Quotas()
  /// Makes the page about a tuning, which is written into the job's folder; without it, there is none.
  public var tuningPage: (@Sendable (TuningReport) -> String)?

  /// - Parameter root: a relative path is resolved against the current directory now, because jobs run in other directories.
  public init(root: String) { self.root = join(FileManager.default.currentDirectoryPath, root) }
}

/// The account-level limits. A create operation that would exceed one fails with `.limitExceeded`.
public struct Quotas: Sendable {
  /// Jobs in progress are those that run or are queued.
  public var trainingJobsInProgress = 1000
  public var tuningJobsInProgress = 100
  public var transformJobsInProgress = 1000
  public var models = 10_000
  public var endpointConfigs = 10_000
  public var endpoints = 100
  /// The largest MaxNumberOfTrainingJobs of one tuning job.
  public var tuningTrainingJobs = 750
  /// The largest MaxParallelTrainingJobs of one tuning job.
  public var tuningParallelTrainingJobs = 100
  public var tagsPerResource = 50

  public init() {}

  func check(_ kind: ResourceKind, current: Int) throws(ControlPlaneError) {
    let most =
      switch kind {
      case .trainingJob: trainingJobsInProgress
      case .tuningJob: tuningJobsInProgress
      case .transformJob: transformJobsInProgress
      case .model: models
      case .endpointConfig: endpointConfigs
      case .endpoint: endpoints
      }
    guard current >= most else { return }
    throw ControlPlaneError(
      .limitExceeded,
      "The account-level service limit 'Number of \(kind.words)s\(kind.isJob ? " in progress" : "")' is \(most), with "
        + "current utilization of \(current) and a request delta of 1. "
        + (kind.isJob ? "Wait until one has ended." : "Delete one that you no longer need."))
  }
}

/// An operation's error in AWS's form: a code, which clients map to an exception class, and a message.
public struct ControlPlaneError: Error, Hashable, Sendable, CustomStringConvertible {
  /// An error code of SageMaker's or CloudWatch Logs' API; the raw value is the code on the wire.
  public enum Code: String, Sendable {
    case validation = "ValidationException"
    case serialization = "SerializationException"
    case unknownOperation = "UnknownOperationException"
    case notFound = "ResourceNotFound"
    case inUse = "ResourceInUse"
    /// CloudWatch Logs' code for a missing log group or log stream.
    case noSuchLog = "ResourceNotFoundException"
    case invalidParameter = "InvalidParameterException"
    case limitExceeded = "ResourceLimitExceeded"
    /// HTTP 503; clients retry with backoff.
    case unavailable = "ServiceUnavailable"
    /// HTTP 500; clients retry with backoff.
    case internalFailure = "InternalFailure"
  }
  public let code: Code
  /// What is wrong, in AWS's words where they are known.
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// The HTTP status of the error response: 400, 500 or 503.
  public var statusCode: Int {
    switch code {
    case .unavailable: 503
    case .internalFailure: 500
    default: 400
    }
  }

  public var description: String { "\(code.rawValue): \(message)" }

  /// The body of the error response.
  public var body: JSON { ["__type": .string(code.rawValue), "message": .string(message)] }

  static func invalid(_ message: String) -> ControlPlaneError { ControlPlaneError(.validation, message) }
}

/// The current time in seconds since 1970, with microsecond resolution.
@Sendable public func secondsSince1970() -> Double {
  var time = timespec()
  _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec / 1000) / 1e6
}
