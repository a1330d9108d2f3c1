import ArgumentParser
import FoundationEssentials
import Imaging
import S3
import SageMaker
import Services
import Terminal

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Run SageMaker's API locally: jobs, models, endpoints.",
    discussion: """
      Training, tuning and transform jobs, models and endpoints, with SageMaker's own API; all data is in one folder.
      On Ctrl-C or SIGTERM, running jobs write a checkpoint; they continue with the next start.
      EXAMPLE: imrec serve --root sagemaker
      then: export AWS_ENDPOINT_URL=http://127.0.0.1:4566
      """)

  @Option(help: ArgumentHelp("The folder for jobs, models and objects.", valueName: "folder"))
  var root = "sagemaker"
  @Option(
    help: ArgumentHelp("The port to listen on. (default: 4566; 0: any free one)", valueName: "number"),
    transform: wholeNumber(0...65_535))
  var port = 4566
  @Option(help: ArgumentHelp("The address to listen on.", valueName: "name"))
  var hostname = "127.0.0.1"
  @OptionGroup var clients: ServerOptions
  @Option(
    name: .customLong("max-pixels"),
    help: ArgumentHelp("Endpoints refuse images with more pixels. (default: 25000000)", valueName: "count"),
    transform: wholeNumber(1...1 << 40))
  var maximumPixelCount = DecodeOptions.service.maximumPixelCount
  @Option(
    help: ArgumentHelp(
      "Jobs that run at once, each with --threads or its share of the cores; others wait. (default: 1)",
      valueName: "count"),
    transform: wholeNumber(1...1024))
  var runningJobs = 1
  @OptionGroup var threads: ThreadCount
  @Option(
    help: ArgumentHelp(
      "The region in ARNs if a request names none.", valueName: "name"))
  var region = "us-east-1"
  @Option(help: ArgumentHelp("The account in ARNs.", valueName: "number"))
  var account = "123456789012"
  @Flag(
    help: ArgumentHelp(
      "Accept only requests signed with the access key; the dashboard is then only for this machine."))
  var requireSignature = false
  @Option(help: ArgumentHelp("(default: AWS_ACCESS_KEY_ID in the environment)", valueName: "name"))
  var accessKey: String?
  @Option(
    help: ArgumentHelp(
      "(default: AWS_SECRET_ACCESS_KEY in the environment, where other users cannot see it)",
      valueName: "text"))
  var secretKey: String?
  @Option(
    help: ArgumentHelp(
      "The S3 service that jobs and endpoints use; requests are signed if there is an access key. (default: objects in --root)",
      valueName: "url"))
  var s3Endpoint: String?
  @Flag(name: [.short, .long], help: "Do not log requests.")
  var quiet = false

  /// The credential from the options or the environment; nil if neither has a complete one.
  private var credential: Credential? {
    let environment = ProcessInfo.processInfo.environment
    func given(_ option: String?, _ name: String) -> String? {
      let text = option ?? environment[name] ?? ""
      return text.isEmpty ? nil : text
    }
    guard let key = given(accessKey, "AWS_ACCESS_KEY_ID"),
      let secret = given(secretKey, "AWS_SECRET_ACCESS_KEY")
    else { return nil }
    // The session token in the environment belongs to the access key in the environment.
    let token = accessKey == nil ? given(nil, "AWS_SESSION_TOKEN") : nil
    return Credential(accessKey: key, secretKey: secret, sessionToken: token)
  }

  private func remoteObjects() throws -> RemoteObjects? {
    guard let s3Endpoint else { return nil }
    var options = RemoteObjects.Options()
    options.region = region
    do {
      return try RemoteObjects(endpoint: s3Endpoint, credential: credential, options: options)
    } catch {
      throw ValidationError("--s3-endpoint is '\(s3Endpoint)': \(error.message)")
    }
  }

  /// The environment variables that jobs inherit.
  private static let inherited = ["PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH"]

  func validate() throws {
    guard account.utf8.count == 12, account.utf8.allSatisfy({ (48...57).contains($0) }) else {
      throw ValidationError("--account is '\(account)'; 12 digits are expected")
    }
    guard !requireSignature || credential != nil else {
      throw ValidationError(
        "--require-signature needs --access-key and --secret-key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in "
          + "the environment")
    }
    _ = try remoteObjects()
  }

  func run() async throws {
    var options = ControlPlaneOptions(root: root)
    options.runningJobs = runningJobs
    options.threads = threads.given ?? max(1, Imrec.coreCount / runningJobs)
    options.environment = ProcessInfo.processInfo.environment.filter { Self.inherited.contains($0.key) }
    var server = LocalSageMaker(options)
    server.port = port
    server.hostname = hostname
    server.allowedHosts = clients.allowHost
    server.allowedOrigins = clients.allowOrigin
    server.connections = clients.connections
    server.decoding.maximumPixelCount = maximumPixelCount
    server.caller = Caller(region: region, account: account)
    server.isQuiet = quiet
    if requireSignature { server.signer = credential }
    server.remoteObjects = try remoteObjects()
    try await server.run { [hostname] port in
      Words(quiet: false).note(
        "http://\(hostname):\(port): export AWS_ENDPOINT_URL=http://\(hostname):\(port)")
    }
  }
}
