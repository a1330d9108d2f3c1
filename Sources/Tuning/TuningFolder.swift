import Encodings
import Files
import Glibc
import Reporting
import Search
import Synchronization

/// The folder of a tuning: its state, what is told of it, and the best job's model.
///
/// | name | what |
/// |---|---|
/// | `state.json` | the record, by which `--resume` goes on and a later tuning starts warm |
/// | `tuning.json` | SageMaker's description, made of the record |
/// | `tuning.html` | the report, written when a job begins or ends |
/// | `best` | a link to the best job's `model` folder |
/// | `<job>/` | of each job: `train.log`, `metrics.jsonl`, `training.html`, `model/`, `checkpoints/` |
public final class TuningFolder: Sendable {
  public let path: String
  private let request: TuningRequest
  /// For as long as this lives.
  private let lock: OutputLock
  private let search: SharedSearch
  /// The jobs that the report knows, and how they stood.
  private let shown = Mutex<[JobRecord.Status]>([])

  static let stateName = "state.json"
  static let descriptionName = "tuning.json"
  static let reportName = "tuning.html"
  static let bestName = "best"

  /// Makes the folder where there is none, and takes it for this process.
  /// - Throws: `.held` where another process tunes in it.
  public init(_ path: String, _ request: TuningRequest) throws {
    try makeFolder(path)
    (self.path, self.request) = (path, request)
    search = try SharedSearch(request)
    lock = try OutputLock(folder: path)
  }

  /// What to know of its lock; nil where the file system has locks.
  public var lockWarning: String? { lock.isByFileOnly ? wordsOfLockFile(in: path) : nil }

  /// The record that is there; nil where there is none.
  /// - Throws: where it is damaged, or that of another request. Other ResourceLimits and TuningJobCompletionCriteria are
  ///   *not* an error: a tuning may go on with more jobs.
  public func record() throws -> TuningRecord? {
    guard FileStamp(path: join(path, Self.stateName)) != nil else { return nil }
    let record = try Self.read(path)
    let (there, here) = (try identity(of: record.request), try identity(of: request.json))
    guard there == here else {
      throw TuningError(
        "\(path): the tuning in this folder was begun with another request; only ResourceLimits and"
          + " TuningJobCompletionCriteria may change",
        lacks: .request)
    }
    var updated = TuningRecord(request.json)
    updated.take(record)
    return updated
  }

  package static func read(_ folder: String) throws -> TuningRecord {
    let path = join(folder, stateName)
    let bytes = try readFile(path, limit: 1 << 28).bytes
    let record: TuningRecord
    do throws(JSONError) {
      record = try JSON.decode(TuningRecord.self, from: bytes, style: style)
    } catch {
      throw TuningError("\(path): this is no state of a tuning: \(error)")
    }
    for (place, job) in record.jobs.enumerated() where job.number != place + 1 {
      throw TuningError(
        "\(path): this is no state of a tuning: its job \(place + 1) has the number \(job.number)")
    }
    return record
  }

  /// Writes all down, each file whole or not at all; the state comes first.
  public func keep(_ record: TuningRecord) throws {
    try writeFile(join(path, Self.stateName), JSON.text(record, style: Self.style))
    try writeFile(join(path, Self.descriptionName), description(of: record))
    let stand = record.jobs.map(\.status)
    let isNew = shown.withLock { shown in
      if shown == stand, record.status == .inProgress { return false }
      shown = stand
      return true
    }
    // An epoch changes little of it.
    guard isNew else { return }
    try writeFile(join(path, Self.reportName), search.report(record).html())
    try linkBest(record)
  }

  /// What `tuning.json` has.
  public func description(of record: TuningRecord) throws -> String {
    try JSON.text(request.description(of: record), style: Self.style)
  }

  /// Of both files.
  private static let style = JSONStyle.document.namingNonFinite

  /// A relative link, so that the folder can be moved.
  private func linkBest(_ record: TuningRecord) throws {
    guard let best = record.best(request.plan.direction.isBetter) else { return }
    let (name, target) = (join(path, Self.bestName), "\(best.name)/\(TrainingProcess.modelName)")
    guard isFolder(join(path, target)) else { return }
    let partial = name + ".partial"
    _ = unsafe unlink(partial)
    guard unsafe symlink(target, partial) == 0, unsafe rename(partial, name) == 0 else {
      throw FileError(.system(call: "link", code: errno), path: name)
    }
  }

  /// What may not change while a tuning is on its way, as text: there 1 and 1.0 are the same.
  private func identity(of json: JSON) throws -> [UInt8] {
    var json = json.without("Tags")
    if let config = json["HyperParameterTuningJobConfig"] {
      json["HyperParameterTuningJobConfig"] =
        config.without("ResourceLimits", "TuningJobCompletionCriteria")
    }
    return try JSON.encode(json, style: .line)
  }
}

extension TuningRecord {
  /// What a former run knew.
  mutating func take(_ former: TuningRecord) {
    (status, jobs, warmStart) = (former.status, former.jobs, former.warmStart)
    (creationTime, endTime, runtimeSeconds) = (former.creationTime, former.endTime, former.runtimeSeconds)
    (failureReason, completionReason) = (former.failureReason, former.completionReason)
    convergenceTime = former.convergenceTime
  }
}
