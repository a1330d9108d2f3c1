public import ControlPlane
import Files
import Hosting
import Hummingbird
import Inference
import Logging
public import Objects
import ServiceLifecycle
public import Signatures
import Tensors

/// SageMaker on this machine: one port for its operations, the endpoints' answers, S3, and the dashboard.
public struct LocalSageMaker: Sendable {
  public var hostname = "127.0.0.1"
  /// Names beside it, and those of the loopback, under which the dashboard is reached; without a port.
  public var hostNames: [String] = []
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
  /// - Parameter onStart: gets the port when requests are answered.
  /// - Throws: where the address or the folder cannot be used.
  public func run(onStart: @escaping @Sendable (Int) -> Void) async throws {
    let logger = Logger(label: "imrec") { [isQuiet] _ in LineLog(logLevel: isQuiet ? .error : .info) }
    let metrics = PrometheusMetrics()
    let bodies = ReceivedBytes()
    let store = try ObjectStore(root: join(options.root, "s3"))
    let source: any ObjectSource = remoteObjects ?? LocalObjects(store)
    let fleet = EndpointFleet(
      cores: Cores(Workers(count: max(1, options.threads))), store: CaptureWriter(objects: source),
      logger: logger, metrics: metrics)
    let objects = SourceObjects(source)
    let host = FleetHost(fleet, objects: objects, folder: join(options.root, "models"))
    let api = try SageMakerAPI(options, objects: objects, endpoints: host)
    let s3 = S3Service(store, options: s3Options)
    let parts = Parts(
      control: ControlPlaneService(api, caller: caller),
      runtime: RuntimeService(fleet, account: caller.account, region: caller.region, bodies: bodies), s3: s3,
      companions: Companions(logs: JobLogs(api), caller: caller),
      dashboard: Dashboard(
        ControlPlaneSource(api, s3), fleet: fleet, names: (signer == nil ? [hostname] : []) + hostNames,
        bodies: bodies),
      gate: signer.map { SignatureGate($0, bodies: bodies) })
    var server = GuardedServer(hostname: hostname, port: port, logger: logger)
    server.limits = Self.limits
    server.services = [fleet, JobService(api: api)]
    try await server.run(
      onStart: onStart,
      respond: Observed(logger: logger, metrics: metrics).responder(
        part: { parts.part(of: $0).rawValue },
        name: { ControlPlaneService.operation(of: $0) ?? AmazonJSON.target(of: $0) ?? $0.uri.path },
        { try await parts.respond(to: $0, from: $1) }))
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
  let dashboard: Dashboard
  /// Nil: signatures are not looked at.
  let gate: SignatureGate?

  /// A path that is the dashboard's or the runtime's is S3's where the signature says so: `/` lists buckets then, and a
  /// bucket may be called endpoints.
  func part(of request: Request) -> Part {
    if ControlPlaneService.operation(of: request) != nil { return .control }
    if request.claimedScope?.service == "s3" { return .s3 }
    if RuntimeService.route(request.uri.path) != nil { return .runtime }
    if Companions.service(of: request) != nil { return .companions }
    return Dashboard.serves(request.uri.path) ? .dashboard : .s3
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

  private func admit(
    _ request: Request, limit: Int, service: String = "sagemaker"
  ) async throws(SignatureRefusal) -> Request {
    guard let gate else { return request }
    return try await gate.admit(request, limit: limit, service: service)
  }
}

/// The jobs, as a service beside the server.
private struct JobService: Service {
  let api: SageMakerAPI

  func run() async throws {
    try await cancelWhenGracefulShutdown { try await api.run() }
  }
}
