import Encodings
import Endpoints
import Files
import HTTP
import HTTPTypes
import HummingbirdCore
public import Imaging
import Inference
import Logging
import Networks
public import S3
public import SageMaker
import ServiceLifecycle

/// A local SageMaker server: the control plane, the runtime API, S3 and the dashboard on one port.
public struct LocalSageMaker: Sendable {
  /// The host name or address to listen on.
  public var hostname = "127.0.0.1"
  /// Additional host names and addresses, without a port, that clients may use. Those of the loopback interface, `hostname`
  /// and the address that a connection came to are always allowed; `*` allows all.
  public var allowedHosts: [String] = []
  /// The origins of other sites, such as `http://name:port`, whose pages may send requests.
  public var allowedOrigins: [String] = []
  /// The largest number of connections with a request in progress. Idle connections are closed to make room; further
  /// requests are refused.
  public var connections = 1024
  /// Limits on decoding the images that are sent to an endpoint.
  public var decoding = DecodeOptions.service
  /// The TCP port; 0 means any free one.
  public var port = 4566
  /// The account, and the region of requests whose signature does not name one.
  public var caller = Caller()
  /// Whether only errors are logged.
  public var isQuiet = false
  /// The credential that must have signed each API request; the dashboard is then served to this machine only. Nil means
  /// that signatures are not checked.
  public var signer: Credential?
  /// The remote S3 that jobs and endpoints use; nil means the object store of this server.
  public var remoteObjects: RemoteObjects?
  private let options: ControlPlaneOptions

  public init(_ options: ControlPlaneOptions) { self.options = options }

  /// Serves until the task is cancelled. Running jobs are then stopped, and the next start resumes them.
  ///
  /// The folder is read and jobs resume only once the lock on the folder and the port are held: until then another server
  /// may be using it.
  ///
  /// - Parameter onStart: called with the port when the server accepts requests.
  /// - Throws: if the address or the folder cannot be used; `FileError` with the reason `.held` if another process holds the
  ///   lock on the folder.
  public func run(onStart: @escaping @Sendable (Int) -> Void) async throws {
    try makeFolder(options.root)
    let lock = try OutputLock(folder: options.root)
    defer { withExtendedLifetime(lock) {} }
    let logger = Logger(label: "imrec") { [isQuiet] _ in LineLog(logLevel: isQuiet ? .error : .info) }
    if lock.isByFileOnly {
      logger.warning(
        "\(options.root) is on a file system without locks: only the file .imrec.lock keeps other servers out"
      )
    }
    let (fleets, fleet) = AsyncStream<any Service>.makeStream()
    let (works, work) = AsyncStream<any Service>.makeStream()
    var server = GuardedServer(hostname: hostname, port: port, logger: logger)
    server.limits = Self.limits
    server.connections = connections
    server.origin = RequestOrigin(
      hosts: [hostname] + allowedHosts, origins: allowedOrigins, isPage: { DashboardService.serves($0) })
    server.refusal = Parts.refusal
    server.services = [LateService(fleets), LateService(works)]
    try await server.run(onStart: onStart) {
      let metrics = PrometheusMetrics()
      let parts = try makeParts(logger: logger, metrics: metrics)
      fleet.yield(parts.runtime.fleet)
      work.yield(JobService(api: parts.control.api))
      return Observed(
        logger: logger, metrics: metrics, isForObjects: { $0.claimedScope?.service == "s3" }
      ).responder(
        part: { parts.part(of: $0).rawValue },
        name: { ControlPlaneService.operation(of: $0) ?? AmazonJSON.target(of: $0) ?? $0.uri.path },
        { try await parts.respond(to: $0, from: $1) })
    }
  }

  private func makeParts(logger: Logger, metrics: PrometheusMetrics) throws -> Parts {
    let bodies = ReceivedBytes()
    let store = try ObjectStore(root: join(options.root, "s3"))
    let objects: any ObjectSource = remoteObjects ?? LocalObjects(store)
    let fleet = EndpointFleet(
      cores: Cores(Workers(count: max(1, options.threads))),
      loader: FileModelLoader(decoding: decoding), store: CaptureWriter(objects: objects),
      logger: logger, metrics: metrics)
    let host = FleetHost(fleet, objects: objects, folder: join(options.root, "models"))
    let api = try SageMakerAPI(options, objects: objects, endpoints: host)
    let s3 = S3Service(store, options: s3Options)
    return Parts(
      control: ControlPlaneService(api, caller: caller),
      runtime: RuntimeService(fleet, account: caller.account, region: caller.region, bodies: bodies), s3: s3,
      companions: Companions(logs: JobLogs(api), caller: caller),
      dashboard: DashboardService(ControlPlaneSource(api, s3), fleet: fleet, bodies: bodies),
      gate: signer.map { SignatureGate($0, bodies: bodies) })
  }

  /// A body may have any size, because objects can be large, but must arrive at 16 KiB/s or more.
  static var limits: ConnectionLimits {
    var limits = ConnectionLimits()
    limits.maximumBodyByteCount = .max
    limits.bodyBytesPerSecond = 16 << 10
    return limits
  }

  private var s3Options: S3Service.Options {
    var options = S3Service.Options()
    options.region = caller.region
    options.account = caller.account
    options.requiresSignature = signer != nil
    options.credentials = signer.map { [$0] } ?? []
    return options
  }
}

/// The services behind the port, and which of them answers a request.
struct Parts: Sendable {
  enum Part: String {
    case control = "control-plane"
    case runtime, s3, companions, dashboard
  }
  let control: ControlPlaneService
  let runtime: RuntimeService
  let s3: S3Service
  let companions: Companions
  let dashboard: DashboardService
  /// Nil if signatures are not checked.
  let gate: SignatureGate?

  /// The service of a request. A request that is signed for S3 goes to S3 even if its path belongs to the dashboard or the
  /// runtime API: `/` then lists buckets, and a bucket may be named `endpoints`.
  func part(of request: Request) -> Part {
    if ControlPlaneService.operation(of: request) != nil { return .control }
    if request.claimedScope?.service == "s3" { return .s3 }
    if RuntimeService.route(request.uri.path) != nil { return .runtime }
    if Companions.service(of: request) != nil { return .companions }
    return DashboardService.serves(request.uri.path) ? .dashboard : .s3
  }

  /// Checks the signature of a request, if there is a gate, and passes it to its service.
  func respond(to request: Request, from client: ClientPresence?) async throws -> Response {
    switch part(of: request) {
    case .control:
      guard let operation = ControlPlaneService.operation(of: request) else { break }
      let admitted: Request
      do throws(SignatureRefusal) {
        admitted = try await admit(request, limit: SageMakerAPI.largestBody)
      } catch {
        return AmazonJSON.refusal(error)
      }
      return await control.respond(to: admitted, operation: operation)
    case .runtime:
      guard let (endpoint, operation) = RuntimeService.route(request.uri.path) else { break }
      let admitted: Request
      do throws(SignatureRefusal) {
        admitted = try await admit(request, limit: RuntimeService.bodyLimit)
      } catch {
        return RuntimeError(
          status: error.status, type: error.code, message: error.message, isClosing: true
        ).response
      }
      return try await runtime.respond(to: admitted, endpoint: endpoint, operation: operation, from: client)
    case .companions:
      guard let service = Companions.service(of: request) else { break }
      let admitted: Request
      do throws(SignatureRefusal) {
        admitted = try await admit(request, limit: SageMakerAPI.largestBody, service: service)
      } catch {
        return AmazonJSON.target(of: request) == nil
          ? Companions.failure(error.code, error.message, error.status) : AmazonJSON.refusal(error)
      }
      return await companions.respond(to: admitted, service: service)
    case .dashboard where gate == nil || client?.isLocal == true:
      return try await dashboard.respond(to: request, from: client)
    case .dashboard, .s3: break
    }
    return await s3.respond(to: request)
  }

  /// The response to a request that the server refused, in the format of the service that the request is for.
  static func refusal(_ request: Request, _ status: HTTPResponse.Status, _ sentence: String) -> Response {
    let isBusy = status == .serviceUnavailable
    if AmazonJSON.target(of: request) != nil || RuntimeService.route(request.uri.path) != nil {
      return AmazonJSON.refusal(
        SignatureRefusal(
          status: status, code: isBusy ? "ServiceUnavailable" : "AccessDeniedException", message: sentence))
    }
    var response = S3Failure(ObjectError(isBusy ? .slowDown : .accessDenied, sentence)).response(
      to: request.head, id: "0")
    response.status = status
    return response
  }

  private func admit(
    _ request: Request, limit: Int, service: String = "sagemaker"
  ) async throws(SignatureRefusal) -> Request {
    guard let gate else { return request }
    return try await gate.admit(request, limit: limit, service: service)
  }
}

/// Runs the services that a stream delivers: they are made only once the server holds its port.
private struct LateService: Service {
  private let service: AsyncStream<any Service>

  init(_ service: AsyncStream<any Service>) { self.service = service }

  func run() async throws {
    for await service in service.cancelOnGracefulShutdown() { try await service.run() }
  }
}

/// Runs the control plane's jobs as long as the server runs.
private struct JobService: Service {
  let api: SageMakerAPI

  func run() async throws {
    try await cancelWhenGracefulShutdown { try await api.run() }
  }
}

/// The other AWS services that SageMaker clients call: CloudWatch Logs for the logs of jobs, STS and IAM for identities.
///
/// CloudWatch Logs is read-only (`JobLogs`). STS's GetCallerIdentity and IAM's GetRole return the account of this server. Any
/// other operation of another service is refused with an error in that service's protocol.
struct Companions: Sendable {
  let logs: JobLogs
  let caller: Caller

  static let logsTarget = "Logs_20140328"

  /// The service of a request, by its X-Amz-Target or its signature's scope; nil if it is SageMaker or S3, or unknown.
  static func service(of request: Request) -> String? {
    if AmazonJSON.operation(of: request, service: logsTarget) != nil { return "logs" }
    guard let scope = request.claimedScope, !["s3", "s3express", "sagemaker"].contains(scope.service) else {
      return nil
    }
    return scope.service
  }

  func respond(to request: Request, service: String) async -> Response {
    if let operation = AmazonJSON.operation(of: request, service: Self.logsTarget) {
      let caller = caller.asking(request)
      return await AmazonJSON.respond(to: request) { body throws(ControlPlaneError) in
        try await logs.respond(to: operation, body: body, from: caller)
      }
    }
    let name = String(service.prefix(40))
    if let target = AmazonJSON.target(of: request) {
      return await AmazonJSON.respond(to: request) { _ throws(ControlPlaneError) in
        throw ControlPlaneError(
          .unknownOperation,
          "imrec does not support the service \(name) and its operation \(target.prefix(100)).")
      }
    }
    return await respondInXML(to: request, service: name)
  }

  /// Answers a request in AWS's query protocol: a form in, XML out.
  private func respondInXML(to request: Request, service: String) async -> Response {
    let form: [String: String]
    do throws(ControlPlaneError) {
      let body = try await AmazonJSON.body(of: request)
      form = Self.form(String(decoding: body, as: UTF8.self))
    } catch {
      return Self.failure(error.code.rawValue, error.message)
    }
    switch (service, form["Action"] ?? "") {
    case ("sts", "GetCallerIdentity"):
      return Self.answer("GetCallerIdentity", "https://sts.amazonaws.com/doc/2011-06-15/") { xml in
        xml.element("Arn", "arn:aws:sts::\(caller.account):assumed-role/imrec/local")
        xml.element("UserId", "LOCAL:local")
        xml.element("Account", caller.account)
      }
    case ("iam", "GetRole"):
      let role = form["RoleName"] ?? ""
      return Self.answer("GetRole", "https://iam.amazonaws.com/doc/2010-05-08/") { xml in
        xml.element("Role") { xml in
          xml.element("Path", "/")
          xml.element("RoleName", role)
          xml.element("RoleId", "LOCALROLE00000001")
          xml.element("Arn", "arn:aws:iam::\(caller.account):role/\(role)")
          xml.element("CreateDate", "2020-01-01T00:00:00Z")
        }
      }
    case (_, let action):
      return Self.failure(
        "InvalidAction",
        "imrec does not support \(action.isEmpty ? "this operation" : String(action.prefix(100))) of \(service)."
      )
    }
  }

  private static func form(_ text: String) -> [String: String] {
    var fields: [String: String] = [:]
    for field in text.split(separator: "&").prefix(100) {
      let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      fields[String(parts[0])] = parts.count == 2 ? percentDecodedText(parts[1], plusIsSpace: true) : ""
    }
    return fields
  }

  private static func answer(_ action: String, _ space: String, _ body: (inout XMLText) -> Void) -> Response {
    XMLText.document("\(action)Response", space: space) { xml in
      xml.element("\(action)Result", body)
      xml.element("ResponseMetadata") { $0.element("RequestId", "local") }
    }.response
  }

  /// An error in AWS's query protocol. It closes the connection, because the body may not have been read.
  static func failure(_ code: String, _ message: String, _ status: HTTPResponse.Status = .badRequest)
    -> Response
  {
    var response = XMLText.document("ErrorResponse", space: "https://imrec/") { xml in
      xml.element("Error") { xml in
        xml.element("Type", "Sender")
        xml.element("Code", code)
        xml.element("Message", message)
      }
      xml.element("RequestId", "local")
    }.response
    response.status = status
    response.headers[.connection] = "close"
    return response
  }
}
