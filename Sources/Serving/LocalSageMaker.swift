public import ControlPlane
import Files
import HTTPTypes
import Hosting
import Hummingbird
import Inference
import Logging
import NIOCore
import Objects
import ServiceLifecycle
import Tensors

/// SageMaker on this machine: one port for its operations, the endpoints' answers, and S3.
public struct LocalSageMaker: Sendable {
  public var hostname = "127.0.0.1"
  /// 0: any free one.
  public var port = 4566
  public var caller = Caller()
  public var isQuiet = false
  private let options: ControlPlaneOptions

  public init(_ options: ControlPlaneOptions) { self.options = options }

  /// Serves until the task is cancelled; jobs that run are asked to end, and go on with the next start.
  ///
  /// - Parameter onStart: gets the port when requests are answered.
  /// - Throws: where the address or the folder cannot be used.
  public func run(onStart: @escaping @Sendable (Int) -> Void) async throws {
    let logger = Logger(label: "imrec") { [isQuiet] _ in LineLog(logLevel: isQuiet ? .error : .info) }
    let store = try ObjectStore(root: join(options.root, "s3"))
    let objects = SourceObjects(LocalObjects(store))
    let s3 = S3Service(store)
    let fleet = EndpointFleet(
      cores: Cores(Workers(count: max(1, options.threads))),
      store: CaptureWriter(objects: objects, folder: join(options.root, "captures")), logger: logger)
    let host = FleetHost(fleet, objects: objects, folder: join(options.root, "models"))
    let api = try SageMakerAPI(options, objects: objects, endpoints: host)
    let control = ControlPlaneService(api, caller: caller)
    let runtime = RuntimeService(fleet, account: caller.account, region: caller.region)
    var server = GuardedServer(hostname: hostname, port: port, logger: logger)
    // Objects may be large, as long as they keep coming.
    server.limits.maximumBodyByteCount = .max
    server.limits.bodyBytesPerSecond = 16 << 10
    server.services = [fleet, JobService(api: api)]
    try await server.run(onStart: onStart) { request, client in
      let start = ContinuousClock.now
      let response = try await Self.answer(request, client, control, runtime, s3)
      let operation = ControlPlaneService.operation(of: request) ?? request.uri.path
      logger.info(
        "\(request.method.rawValue) \(shown(operation)) \(response.status.code) \(milliseconds(.now - start)) ms"
      )
      return response
    }
  }

  private static func answer(
    _ request: Request, _ client: ClientPresence?, _ control: ControlPlaneService, _ runtime: RuntimeService,
    _ s3: S3Service
  ) async throws -> Response {
    if let operation = ControlPlaneService.operation(of: request) {
      return try await control.respond(to: request, operation: operation)
    }
    let path = request.uri.path
    if let (endpoint, operation) = RuntimeService.route(path) {
      return try await runtime.respond(to: request, endpoint: endpoint, operation: operation, from: client)
    }
    if path == "/healthz" { return Response(status: .ok) }
    return await s3.respond(to: request)
  }
}

/// The jobs, as a service beside the server.
private struct JobService: Service {
  let api: SageMakerAPI

  func run() async throws {
    try await cancelWhenGracefulShutdown { try await api.run() }
  }
}
