import ArgumentParser
import Endpoints
import Files
import FoundationEssentials
import Imaging
import Inference
import Terminal

struct HostCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "host",
    abstract: "Serve a model over HTTP, as a SageMaker container does.",
    discussion: """
      GET /ping, POST /invocations, GET /execution-parameters. On Ctrl-C or SIGTERM it finishes open requests.
      EXAMPLE: imrec host model.tar.gz --port 8080
      then: curl -H 'Content-Type: image/jpeg' --data-binary @dog.jpg http://127.0.0.1:8080/invocations
      """)

  @Argument(help: "The model: a folder, an archive, or a .safetensors or .onnx file.")
  var model: String?
  @Option(
    name: .customLong("opt-ml"),
    help: ArgumentHelp(
      "Run as SageMaker's container: model in DIR/model, on all addresses.", valueName: "dir"))
  var optML: String?
  @Option(
    help: ArgumentHelp("The port to listen on. (default: 8080; 0: any free one)", valueName: "number"),
    transform: wholeNumber(0...65_535))
  var port: Int?
  @Option(help: ArgumentHelp("The address to listen on. (default: 127.0.0.1)", valueName: "name"))
  var hostname: String?
  @Option(
    help: ArgumentHelp("Refuse larger bodies with status 413. (default: 6)", valueName: "MiB"),
    transform: wholeNumber(1...100))
  var maxPayload: Int?
  @Option(
    help: ArgumentHelp("The most images that wait; more get status 503. (default: 256)", valueName: "count"),
    transform: wholeNumber(1...100_000))
  var queue = 256
  @OptionGroup var clients: ServerOptions
  @OptionGroup(title: "Model") var options: ModelOptions
  @Flag(name: [.short, .long], help: "Do not log requests.")
  var quiet = false

  func validate() throws {
    guard (model == nil) != (optML == nil) else {
      throw ValidationError("either <model> or --opt-ml is expected")
    }
  }

  func run() async throws {
    let host = try makeHost()
    let hostname = host.options.hostname
    try await host.run { port in
      Words(quiet: false).note("http://\(hostname):\(port): ready for images")
    }
  }

  @inline(never)
  private func makeHost() throws -> ModelHost {
    var settings = HostOptions()
    if optML != nil {
      settings.hostname = "0.0.0.0"
      // The host name under which SageMaker calls its containers.
      settings.allowedHosts = ["model.aws.local"]
      try settings.apply(ProcessInfo.processInfo.environment)
    }
    if let hostname { settings.hostname = hostname }
    if let port { settings.port = port }
    if let maxPayload { settings.maximumPayloadMegabytes = maxPayload }
    settings.connections = clients.connections
    settings.allowedHosts += clients.allowHost
    settings.allowedOrigins = clients.allowOrigin
    var limits = ClassifyingQueue.Limits()
    limits.waiting = queue
    let classifier = try options.load(
      model ?? join(optML ?? "", "model"), words: Words(quiet: quiet),
      decoding: .service)
    classifier.warmUp()
    return ModelHost(classifier, options: settings, limits: limits, isQuiet: quiet)
  }
}
