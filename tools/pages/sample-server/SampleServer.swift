import Dashboard
// The dashboard with jobs that never were, and the runtime API with endpoints that answer, for tools/pages.
//   sample-server [--port N] [--model MODEL] [--shadow] [--odd TEXT] [--outputs FOLDER] [--quiet]
// On stdout: the port, a line.
import DashboardSamples
import Dispatch
import Endpoints
import Files
import Foundation
import HTTP
import Inference
import Logging
import Models
import Networks

@main
enum SampleServer {
  static func main() async throws {
    let options = Options(CommandLine.arguments)
    let metrics = PrometheusMetrics()
    let logger = Logger(label: "sample-server") { _ in
      LineLog(logLevel: options["quiet"] == nil ? .info : .error)
    }
    let fleet = EndpointFleet(
      cores: Cores(Workers(count: Workers.coreCount)), loader: AnyModel(), store: ObjectFolder(),
      logger: logger,
      metrics: metrics)
    let model = options["model"] ?? "resnet-20"
    var plan = EndpointPlan(
      name: "demo" + (options["odd"] ?? ""), configurationName: "demo-config",
      variants: [
        VariantPlan(name: "AllTraffic", model: ModelPlan(name: "first", path: model)),
        VariantPlan(name: "Candidate", model: ModelPlan(name: "second", path: model), weight: 0.25),
      ])
    if options["shadow"] != nil {
      plan.shadowVariants = [VariantPlan(name: "Shadow", model: ModelPlan(name: "third", path: model))]
    }
    try await fleet.create(plan)
    let runtime = RuntimeService(fleet)
    let dashboard = DashboardService(
      SampleSource(odd: options["odd"] ?? "", outputs: options["outputs"]), fleet: fleet)
    var server = GuardedServer(
      hostname: "127.0.0.1", port: options["port"].flatMap { Int($0) } ?? 0, logger: logger)
    server.services = [fleet]
    server.limits.maximumBodyByteCount = 32 << 20
    let responder = Observed(logger: logger, metrics: metrics).responder(
      part: { RuntimeService.route($0.uri.path) != nil ? "runtime" : "dashboard" },
      { request, client in
        if let (endpoint, operation) = RuntimeService.route(request.uri.path) {
          return try await runtime.respond(
            to: request, endpoint: endpoint, operation: operation, from: client)
        }
        return try await dashboard.respond(to: request, from: client)
      })
    let serving = Task { [server] in
      try await server.run(
        onStart: { port in
          print(port)
          fflush(nil)
        }, respond: responder)
    }
    // In order, as a service is ended.
    signal(SIGTERM, SIG_IGN)
    let asked = DispatchSource.makeSignalSource(signal: SIGTERM, queue: .global())
    asked.setEventHandler { @Sendable in serving.cancel() }
    asked.resume()
    try await serving.value
  }
}

/// `--name value` and `--name`.
private struct Options {
  private var values: [String: String] = [:]

  init(_ arguments: [String]) {
    var rest = arguments.dropFirst()[...]
    while let word = rest.popFirst() {
      guard word.hasPrefix("--") else { continue }
      let value = rest.first.map { !$0.hasPrefix("--") } == true ? rest.popFirst() : ""
      values[String(word.dropFirst(2))] = value
    }
  }

  subscript(name: String) -> String? { values[name] }
}

/// Loads a model's files, or makes a network of random numbers by its name, such as resnet-20.
private struct AnyModel: ModelLoading {
  func load(_ model: ModelPlan, on cores: Cores) async throws -> Classifier {
    if FileStamp(path: model.path) != nil { return try await FileModelLoader().load(model, on: cores) }
    let made = try BenchModel(model.path)
    let network = try Network(made.graph, made.parameters, engine: .fast, batch: 32, workers: cores.workers)
    return try Classifier(
      network: network, preset: .sageMaker(shape: network.inputShape),
      classes: (0..<network.outputCount).map { "class \($0)" }, cores: cores)
  }
}

/// Throws captured requests away.
private struct ObjectFolder: ObjectWriting {
  func write(_ bytes: [UInt8], to uri: String) async throws {}
}
