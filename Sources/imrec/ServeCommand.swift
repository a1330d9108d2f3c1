import ArgumentParser
import ControlPlane
import FoundationEssentials
import Serving
import Terminal

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "SageMaker on this machine.",
    discussion: """
      Training, tuning and transform jobs, models and endpoints, by SageMaker's own API; all of it is in one folder.
      Ctrl-C or SIGTERM: jobs that run leave a checkpoint, and go on with the next start.
      EXAMPLE: imrec serve --root sagemaker
      then: export AWS_ENDPOINT_URL=http://127.0.0.1:4566
      """)

  @Option(help: ArgumentHelp("Gets jobs, models and objects.", valueName: "folder"))
  var root = "sagemaker"
  @Option(
    help: ArgumentHelp("(default: 4566; 0: any free one)", valueName: "number"),
    transform: wholeNumber(0...65_535))
  var port = 4566
  @Option(help: ArgumentHelp("The address listened on.", valueName: "name"))
  var hostname = "127.0.0.1"
  @Option(
    help: ArgumentHelp("Jobs that run at once; more wait. (default: 1)", valueName: "count"),
    transform: wholeNumber(1...1024))
  var jobs = 1
  @Option(
    help: ArgumentHelp("Threads of each job. (default: the cores, shared out)", valueName: "count"),
    transform: wholeNumber(1...1024))
  var threads: Int?
  @Option(
    help: ArgumentHelp(
      "The region in ARNs, where a request names none.", valueName: "name"))
  var region = "us-east-1"
  @Option(help: ArgumentHelp("The account in ARNs.", valueName: "number"))
  var account = "123456789012"
  @Flag(help: "No line for each request.")
  var quiet = false

  /// What jobs inherit.
  private static let inherited = ["PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH"]

  func validate() throws {
    guard account.utf8.count == 12, account.utf8.allSatisfy({ (48...57).contains($0) }) else {
      throw ValidationError("--account is '\(account)'; twelve digits are expected")
    }
  }

  func run() async throws {
    var options = ControlPlaneOptions(root: root)
    options.runningJobs = jobs
    options.threads = threads ?? max(1, Imrec.coreCount / jobs)
    options.environment = ProcessInfo.processInfo.environment.filter { Self.inherited.contains($0.key) }
    var server = LocalSageMaker(options)
    server.port = port
    server.hostname = hostname
    server.caller = Caller(region: region, account: account)
    server.isQuiet = quiet
    try await server.run { [hostname] port in
      Words(quiet: false).note(
        "http://\(hostname):\(port): export AWS_ENDPOINT_URL=http://\(hostname):\(port)")
    }
  }
}
