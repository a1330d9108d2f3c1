import Endpoints
import Files
import HTTP
import HTTPTypes
import Hummingbird
public import Imaging
import Inference
import Logging
import Networks
public import S3
public import SageMaker
import ServiceLifecycle

/// SageMaker on this machine: one port for its operations, the endpoints' answers, S3, and the dashboard.
public struct LocalSageMaker: Sendable {
  public var hostname = "127.0.0.1"
  /// Names and addresses, without a port, under which it is reached beside those of the loopback, `hostname` and the
  /// address that a connection came to; `*`: all.
  public var allowedHosts: [String] = []
  /// Other sites, `http://name:port`, whose pages may ask.
  public var allowedOrigins: [String] = []
  /// Connections with a request in work; requests on others are refused, and idle ones give way before.
  public var connections = 1024
  /// How much work a picture may make that an endpoint is sent.
  public var decoding = DecodeOptions.service
  /// 0: any free one.
  public var port = 4566
  public var caller = Caller()
  public var isQuiet = false
  /// Who must have signed each request of an API; then only this machine sees the dashboard. Nil: signatures are not
  /// looked at.
  public var signer: Credential?
  /// Where jobs and endpoints read and write; nil: in the object store of this server.
  public var remoteObjects: RemoteObjects?
  private let options: ControlPlaneOptions

  public init(_ options: ControlPlaneOptions) { self.options = options }

  /// Serves until the task is cancelled; jobs that run are asked to end, and go on with the next start.
  ///
  /// What stands in the folder is read, and jobs go on, only when the folder's lock and the port are held: another server
  /// may be at work with it.
  ///
  /// - Parameter onStart: gets the port when requests are answered.
  /// - Throws: where the address or the folder cannot be used; `FileError` with the reason `.held` where another process
  ///   has the folder.
  public func run(onStart: @escaping @Sendable (Int) -> Void) async throws {
    try makeFolder(options.root)
    let lock = try OutputLock(folder: options.root)
    defer { withExtendedLifetime(lock) {} }
    let logger = Logger(label: "imrec") { [isQuiet] _ in LineLog(logLevel: isQuiet ? .error : .info) }
    if lock.isByFileOnly {
      logger.warning(
        "\(options.root) is on a file system without locks: its file .imrec.lock alone keeps others away")
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

  /// Objects may be large, as long as they keep coming.
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

/// What answers the requests of the port.
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
  /// Nil: signatures are not looked at.
  let gate: SignatureGate?

  /// A path that is the dashboard's or the runtime's is S3's where the signature says so: `/` lists buckets then, and a
  /// bucket may be called endpoints.
  func part(of request: Request) -> Part {
    if ControlPlaneService.operation(of: request) != nil { return .control }
    if request.claimedScope?.service == "s3" { return .s3 }
    if RuntimeService.route(request.uri.path) != nil { return .runtime }
    if Companions.service(of: request) != nil { return .companions }
    return DashboardService.serves(request.uri.path) ? .dashboard : .s3
  }

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

  /// A request that reaches none of them, in the form of the one that it is for.
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

/// A service that comes when the server is ready for it.
private struct LateService: Service {
  private let service: AsyncStream<any Service>

  init(_ service: AsyncStream<any Service>) { self.service = service }

  func run() async throws {
    for await service in service.cancelOnGracefulShutdown() { try await service.run() }
  }
}

/// The jobs, as a service beside the server.
private struct JobService: Service {
  let api: SageMakerAPI

  func run() async throws {
    try await cancelWhenGracefulShutdown { try await api.run() }
  }
}
