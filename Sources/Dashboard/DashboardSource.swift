public import FoundationEssentials

/// The data that the dashboard shows, as plain values. `ControlPlaneSource` reads the real store; tests have their own.
///
/// The result for a name that does not exist is nil. The description of a thrown error is shown on the page.
public protocol DashboardSource: Sendable {
  /// One page of the jobs, newest first.
  ///
  /// - Parameter kind: nil means every kind.
  func jobs(_ kind: JobKind?, _ part: ListPage) async throws -> ListedRows<JobRow>
  func trainingJob(_ name: String) async throws -> TrainingJobView?
  func tuningJob(_ name: String) async throws -> TuningJobView?
  func transformJob(_ name: String) async throws -> TransformJobView?
  /// The events of a training job from now on; the stream ends with the job. A slow reader misses events and never delays the
  /// job.
  func events(ofTrainingJob name: String) async throws -> AsyncStream<JobEvent>
  /// One page of the models, newest first.
  func models(_ part: ListPage) async throws -> ListedRows<ModelView>
  /// Every endpoint in the store, including those that are not in service.
  func endpoints() async throws -> [EndpointView]
  /// Every bucket, sorted by name.
  func buckets() async throws -> [BucketView]
  /// One page of the objects and folders directly below a prefix, sorted by name; nil if the bucket does not exist.
  func objects(in bucket: String, prefix: String, _ part: ListPage) async throws -> ObjectListing?
  /// The content of an object; nil if the object or its bucket does not exist.
  func object(_ key: String, in bucket: String) async throws -> ObjectContent?
  /// The local path of the file or folder that a path, a `file://` URL or an `s3://` URI names; nil if there is none.
  func localPath(of reference: String) async throws -> String?
}

/// A kind of SageMaker job.
public enum JobKind: String, CaseIterable, Sendable { case training, tuning, transform }

/// Which page of a list is wanted.
public struct ListPage: Sendable, Hashable {
  /// The largest number of rows.
  public var count = 50
  /// `next` of the previous page; nil for the first page.
  public var after: String?
  public init(after: String? = nil, count: Int = 50) { (self.after, self.count) = (after, count) }
}

/// One page of a list.
public struct ListedRows<Row: Sendable>: Sendable {
  public var rows: [Row]
  /// The pagination token of the next page; nil on the last page.
  public var next: String?
  public init(_ rows: [Row], next: String? = nil) { (self.rows, self.next) = (rows, next) }
}

/// A job in a list.
public struct JobRow: Sendable {
  public var kind: JobKind
  public var name: String
  /// SageMaker's status: InProgress, Completed, Failed, Stopping or Stopped.
  public var status: String
  public var created: Date
  /// Nil until the job has ended.
  public var ended: Date?
  /// The result in a few words: an accuracy, or a number of jobs or images.
  public var note: String?
  public init(_ kind: JobKind, _ name: String, status: String, created: Date) {
    (self.kind, self.name, self.status, self.created) = (kind, name, status, created)
  }
}

/// A name and a value to show on a page.
public struct Fact: Sendable {
  public var name: String
  public var value: String
  public init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
}

/// A training job's page.
public struct TrainingJobView: Sendable {
  public var row: JobRow
  /// SageMaker's secondary status, such as Downloading.
  public var secondaryStatus: String?
  public var failureReason: String?
  /// The tuning job that it belongs to.
  public var tuningJob: String?
  public var facts: [Fact] = []
  public var hyperparameters: [Fact] = []
  /// The bytes of `metrics.jsonl` so far.
  public var metrics: [UInt8] = []
  /// The last lines of the log, oldest first.
  public var log: [String] = []
  /// The bytes of `training.html`; nil if there is none yet.
  public var report: [UInt8]?
  public init(_ row: JobRow) { self.row = row }
}

/// A tuning job's page.
public struct TuningJobView: Sendable {
  /// A tuned hyperparameter and its range.
  public struct Parameter: Sendable {
    public enum Kind: Sendable {
      case range(low: Double, high: Double, isLogarithmic: Bool)
      case categories([String])
    }
    public var name: String
    public var kind: Kind
    public init(_ name: String, _ kind: Kind) { (self.name, self.kind) = (name, kind) }
  }
  /// One training job, with the values that the search chose.
  public struct Trial: Sendable {
    public var row: JobRow
    public var parameters: [String: String]
    /// The final objective; nil if there is none.
    public var objective: Double?
    public init(_ row: JobRow, parameters: [String: String], objective: Double?) {
      (self.row, self.parameters, self.objective) = (row, parameters, objective)
    }
  }
  public var row: JobRow
  public var failureReason: String?
  public var strategy: String
  /// The name of the objective metric.
  public var objective: String
  /// Whether a larger objective is better.
  public var isMaximized: Bool
  public var facts: [Fact] = []
  public var parameters: [Parameter] = []
  public var trials: [Trial] = []
  public init(_ row: JobRow, strategy: String, objective: String, isMaximized: Bool) {
    (self.row, self.strategy, self.objective, self.isMaximized) = (row, strategy, objective, isMaximized)
  }
}

/// A transform job's page.
public struct TransformJobView: Sendable {
  public var row: JobRow
  public var failureReason: String?
  /// The name of the model.
  public var model: String
  public var facts: [Fact] = []
  /// The local folder of the `.out` files; nil if there is nothing to score.
  public var outputs: String?
  /// The path of a file of class names, one per line; nil to take those of the ground truth.
  public var classes: String?
  public init(_ row: JobRow, model: String) { (self.row, self.model) = (row, model) }
}

/// A model in a list.
public struct ModelView: Sendable {
  public var name: String
  public var created: Date
  /// The S3 URI of the model's data; empty if it has none.
  public var dataURL: String
  public var facts: [Fact] = []
  public init(_ name: String, created: Date, dataURL: String) {
    (self.name, self.created, self.dataURL) = (name, created, dataURL)
  }
}

/// An endpoint in the store.
public struct EndpointView: Sendable {
  public var name: String
  /// SageMaker's status: Creating, InService, Updating, Deleting or Failed.
  public var status: String
  /// The name of the endpoint configuration.
  public var configuration: String
  public var created: Date
  public var failureReason: String?
  public init(_ name: String, status: String, configuration: String, created: Date) {
    (self.name, self.status, self.configuration, self.created) = (name, status, configuration, created)
  }
}

/// A bucket in a list.
public struct BucketView: Sendable {
  public var name: String
  public var created: Date
  public init(_ name: String, created: Date) { (self.name, self.created) = (name, created) }
}

/// One page of a bucket's folders and objects.
public struct ObjectListing: Sendable {
  public struct Object: Sendable {
    /// The full key, including the prefix.
    public var key: String
    public var byteCount: Int
    public var modified: Date
    public init(_ key: String, byteCount: Int, modified: Date) {
      (self.key, self.byteCount, self.modified) = (key, byteCount, modified)
    }
  }
  /// The full prefixes of the folders, each with a slash at its end.
  public var folders: [String]
  public var objects: [Object]
  /// The pagination token of the next page; nil on the last page.
  public var next: String?
  public init(folders: [String], objects: [Object], next: String? = nil) {
    (self.folders, self.objects, self.next) = (folders, objects, next)
  }
}

/// An object to download, in pieces. A piece is read only after the previous one has been taken.
public struct ObjectContent: Sendable {
  /// Receives a piece of the object.
  public typealias Take = (_ piece: [UInt8]) async throws -> Void
  public var byteCount: Int
  /// Reads the whole object in order.
  public var read: @Sendable (_ take: Take) async throws -> Void
  public init(byteCount: Int, read: @escaping @Sendable (_ take: Take) async throws -> Void) {
    (self.byteCount, self.read) = (byteCount, read)
  }
}

/// A change in a training job.
public enum JobEvent: Sendable, Hashable {
  /// A new line in the log.
  case log(String)
  /// The status or the metrics changed.
  case changed
}
