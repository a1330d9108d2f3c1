import Files
import Foundation

/// Where the control plane keeps its things, and how much it takes on.
public struct ControlPlaneOptions: Sendable {
  /// The folder that it is all in: `imrec.sqlite`, `jobs`, `transforms`, `tunings`.
  public var root: String
  /// Training and transform jobs that run at once; more wait.
  public var runningJobs = 1
  /// Threads of each of them.
  public var threads = 1
  /// Between SIGTERM and SIGKILL when a job is stopped; as SageMaker gives it.
  public var gracePeriod = Duration.seconds(120)
  /// How long operations wait where another program keeps the store locked.
  public var lockTime = Duration.seconds(5)
  /// What runs a job: a copy of this same program.
  public var program = "/proc/self/exe"
  /// What its processes get of the environment, beside what the request says.
  public var environment: [String: String] = [:]
  public var quotas = Quotas()

  /// - Parameter root: relative ones start from the folder that the program is in now; jobs have others.
  public init(root: String) { self.root = join(FileManager.default.currentDirectoryPath, root) }
}

/// How many of each kind there may be.
public struct Quotas: Sendable {
  /// Jobs that run or wait.
  public var trainingJobsInProgress = 1000
  public var tuningJobsInProgress = 100
  public var transformJobsInProgress = 1000
  public var models = 10_000
  public var endpointConfigs = 10_000
  public var endpoints = 100
  public var tuningTrainingJobs = 750
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
        + (kind.isJob ? "Wait until one has ended." : "Delete one that is not needed."))
  }
}

extension ResourceKind {
  var isJob: Bool { [.trainingJob, .tuningJob, .transformJob].contains(self) }
}
