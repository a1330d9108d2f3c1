public import FoundationEssentials

/// What the dashboard shows, as plain values: the control plane's store is one, tests have another.
///
/// A name that is not there is nil; what is thrown is told to the reader of the page.
public protocol DashboardSource: Sendable {
  /// - Parameter kind: nil: of every kind. Newest first.
  func jobs(_ kind: JobKind?, _ part: ListPage) async throws -> ListedRows<JobRow>
  func trainingJob(_ name: String) async throws -> TrainingJobView?
  func tuningJob(_ name: String) async throws -> TuningJobView?
  func transformJob(_ name: String) async throws -> TransformJobView?
  /// What happens in a training job from now on; ends with the job. Nobody waits for who does not read.
  func events(ofTrainingJob name: String) async throws -> AsyncStream<JobEvent>
  func models(_ part: ListPage) async throws -> ListedRows<ModelView>
  /// Every endpoint in the store, also those that are not in service.
  func endpoints() async throws -> [EndpointView]
  func buckets() async throws -> [BucketView]
  /// Objects and folders right below a prefix, by name; nil: no such bucket.
  func objects(in bucket: String, prefix: String, _ part: ListPage) async throws -> ObjectListing?
  func object(_ key: String, in bucket: String) async throws -> ObjectContent?
  /// The file on this machine that a path or an `s3://` address names; nil: none.
  func localPath(of reference: String) async throws -> String?
}

public enum JobKind: String, CaseIterable, Sendable { case training, tuning, transform }

/// A part of a list.
public struct ListPage: Sendable, Hashable {
  public var count = 50
  /// `next` of the part before.
  public var after: String?
  public init(after: String? = nil, count: Int = 50) { (self.after, self.count) = (after, count) }
}

public struct ListedRows<Row: Sendable>: Sendable {
  public var rows: [Row]
  /// Where the next part begins; nil: this is the last one.
  public var next: String?
  public init(_ rows: [Row], next: String? = nil) { (self.rows, self.next) = (rows, next) }
}

public struct JobRow: Sendable {
  public var kind: JobKind
  public var name: String
  /// SageMaker's word: InProgress, Completed, Failed, Stopping, Stopped.
  public var status: String
  public var created: Date
  public var ended: Date?
  /// In a few words: an accuracy, the number of jobs or images.
  public var note: String?
  public init(_ kind: JobKind, _ name: String, status: String, created: Date) {
    (self.kind, self.name, self.status, self.created) = (kind, name, status, created)
  }
}

public struct Fact: Sendable {
  public var name: String
  public var value: String
  public init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
}

public struct TrainingJobView: Sendable {
  public var row: JobRow
  public var secondaryStatus: String?
  public var failureReason: String?
  public var tuningJob: String?
  public var facts: [Fact] = []
  public var hyperparameters: [Fact] = []
  /// `metrics.jsonl` so far.
  public var metrics: [UInt8] = []
  /// The last lines.
  public var log: [String] = []
  /// `training.html`, where there is one.
  public var report: [UInt8]?
  public init(_ row: JobRow) { self.row = row }
}

public struct TuningJobView: Sendable {
  public struct Parameter: Sendable {
    public enum Kind: Sendable {
      case range(low: Double, high: Double, isLogarithmic: Bool)
      case categories([String])
    }
    public var name: String
    public var kind: Kind
    public init(_ name: String, _ kind: Kind) { (self.name, self.kind) = (name, kind) }
  }
  public struct Trial: Sendable {
    public var row: JobRow
    public var parameters: [String: String]
    public var objective: Double?
    public init(_ row: JobRow, parameters: [String: String], objective: Double?) {
      (self.row, self.parameters, self.objective) = (row, parameters, objective)
    }
  }
  public var row: JobRow
  public var failureReason: String?
  public var strategy: String
  public var objective: String
  public var isMaximized: Bool
  public var facts: [Fact] = []
  public var parameters: [Parameter] = []
  public var trials: [Trial] = []
  public init(_ row: JobRow, strategy: String, objective: String, isMaximized: Bool) {
    (self.row, self.strategy, self.objective, self.isMaximized) = (row, strategy, objective, isMaximized)
  }
}

public struct TransformJobView: Sendable {
  public var row: JobRow
  public var failureReason: String?
  public var model: String
  public var facts: [Fact] = []
  /// The folder of `.out` files on this machine; nil: there is none to score.
  public var outputs: String?
  /// Class names, one a line; nil: those of the truth.
  public var classes: String?
  public init(_ row: JobRow, model: String) { (self.row, self.model) = (row, model) }
}

public struct ModelView: Sendable {
  public var name: String
  public var created: Date
  public var dataURL: String
  public var facts: [Fact] = []
  public init(_ name: String, created: Date, dataURL: String) {
    (self.name, self.created, self.dataURL) = (name, created, dataURL)
  }
}

public struct EndpointView: Sendable {
  public var name: String
  /// SageMaker's word: Creating, InService, Updating, Deleting, Failed.
  public var status: String
  public var configuration: String
  public var created: Date
  public var failureReason: String?
  public init(_ name: String, status: String, configuration: String, created: Date) {
    (self.name, self.status, self.configuration, self.created) = (name, status, configuration, created)
  }
}

public struct BucketView: Sendable {
  public var name: String
  public var created: Date
  public init(_ name: String, created: Date) { (self.name, self.created) = (name, created) }
}

public struct ObjectListing: Sendable {
  public struct Object: Sendable {
    public var key: String
    public var byteCount: Int
    public var modified: Date
    public init(_ key: String, byteCount: Int, modified: Date) {
      (self.key, self.byteCount, self.modified) = (key, byteCount, modified)
    }
  }
  /// Whole prefixes that end in a slash.
  public var folders: [String]
  public var objects: [Object]
  public var next: String?
  public init(folders: [String], objects: [Object], next: String? = nil) {
    (self.folders, self.objects, self.next) = (folders, objects, next)
  }
}

/// An object to download, a piece at a time: the next one is read when the one before is taken.
public struct ObjectContent: Sendable {
  public typealias Take = (_ piece: [UInt8]) async throws -> Void
  public var byteCount: Int
  public var read: @Sendable (_ take: Take) async throws -> Void
  public init(byteCount: Int, read: @escaping @Sendable (_ take: Take) async throws -> Void) {
    (self.byteCount, self.read) = (byteCount, read)
  }
}

public enum JobEvent: Sendable, Hashable {
  /// A line of the log.
  case log(String)
  /// Status or metrics changed.
  case changed
}
