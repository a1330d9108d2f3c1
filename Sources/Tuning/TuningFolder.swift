package import Encodings
import Files
import Glibc
public import Hyperparameters
import Search
import Synchronization

/// The folder of a tuning: its state, its report, and the jobs' files.
///
/// | name | what |
/// |---|---|
/// | `state.json` | the record; `--resume` continues from it, and a warm start reads it |
/// | `tuning.json` | the response of DescribeHyperParameterTuningJob, made from the record |
/// | `tuning.html` | the report, written when a job starts or ends |
/// | `best` | a symbolic link to the best job's `model` folder |
/// | `<job>/` | for each job: `train.log`, `metrics.jsonl`, `training.html`, `model/`, `checkpoints/` |
public final class TuningFolder: Sendable {
  public let path: String
  private let request: TuningRequest
  /// Held as long as this object exists.
  private let lock: OutputLock
  private let search: SharedSearch
  private let page: (@Sendable (TuningReport) -> String)?
  /// The statuses of the jobs in the report that was written last.
  private let shown = Mutex<[JobRecord.Status]>([])

  static let stateName = "state.json"
  static let descriptionName = "tuning.json"
  static let reportName = "tuning.html"
  static let bestName = "best"

  /// Creates the folder if it does not exist, and locks it for this process.
  ///
  /// - Parameter page: makes the contents of `tuning.html`; without it, that file is not written.
  /// - Throws: `FileError` with the reason `.held` if another process holds the lock; `SearchError`.
  public init(_ path: String, _ request: TuningRequest, page: (@Sendable (TuningReport) -> String)?) throws {
    try makeFolder(path)
    (self.path, self.request, self.page) = (path, request, page)
    search = try SharedSearch(request)
    lock = try OutputLock(folder: path)
  }

  /// A warning if the file system does not support locks; nil if it does.
  public var lockWarning: String? { lock.isByFileOnly ? wordsOfLockFile(in: path) : nil }

  /// The stored record; nil if there is none.
  ///
  /// - Throws: if it is damaged or belongs to another request. Other ResourceLimits and TuningJobCompletionCriteria are *not*
  ///   an error: a tuning may continue with more jobs.
  public func record() throws -> TuningRecord? {
    guard FileStamp(path: join(path, Self.stateName)) != nil else { return nil }
    let record = try Self.read(path)
    let (there, here) = (try identity(of: record.request), try identity(of: request.json))
    guard there == here else {
      throw TuningError(
        "\(path): the tuning in this folder was started with another request; only ResourceLimits and"
          + " TuningJobCompletionCriteria may change",
        lacks: .request)
    }
    var updated = TuningRecord(request.json)
    updated.take(record)
    return updated
  }

  /// Reads the record in a tuning's folder.
  package static func read(_ folder: String) throws -> TuningRecord {
    let path = join(folder, stateName)
    let bytes = try readFile(path, limit: 1 << 28).bytes
    let record: TuningRecord
    do throws(JSONError) {
      record = try JSON.decode(TuningRecord.self, from: bytes, style: style)
    } catch {
      throw TuningError("\(path): this is not the state of a tuning: \(error)")
    }
    for (place, job) in record.jobs.enumerated() where job.number != place + 1 {
      throw TuningError(
        "\(path): this is not the state of a tuning: job \(place + 1) has the number \(job.number)")
    }
    return record
  }

  /// Writes the state, then the files that are made from it; each file is replaced atomically.
  public func keep(_ record: TuningRecord) throws {
    try writeFile(join(path, Self.stateName), JSON.text(record, style: Self.style))
    try writeFile(join(path, Self.descriptionName), description(of: record))
    let stand = record.jobs.map(\.status)
    let isNew = shown.withLock { shown in
      if shown == stand, record.status == .inProgress { return false }
      shown = stand
      return true
    }
    // An epoch changes little in the report.
    guard isNew else { return }
    if let page { try writeFile(join(path, Self.reportName), page(search.report(record))) }
    try linkBest(record)
  }

  /// The contents of `tuning.json`.
  public func description(of record: TuningRecord) throws -> String {
    try JSON.text(request.description(of: record), style: Self.style)
  }

  /// The style of `state.json` and `tuning.json`: NaN and infinities become strings.
  package static let style = JSONStyle.document.namingNonFinite

  /// Links `best` to the best job's model; the link is relative, so that the folder can be moved.
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

  /// The members of a request that must not change when a tuning resumes, encoded as text, in which 1 and 1.0 are equal.
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
  /// Takes over the state of an earlier run; the request stays.
  mutating func take(_ former: TuningRecord) {
    (status, jobs, warmStart) = (former.status, former.jobs, former.warmStart)
    (creationTime, endTime, runtimeSeconds) = (former.creationTime, former.endTime, former.runtimeSeconds)
    (failureReason, completionReason) = (former.failureReason, former.completionReason)
    convergenceTime = former.convergenceTime
  }
}

extension TuningRequest {
  /// Reads the jobs of the parents in WarmStartConfig; empty without a warm start.
  ///
  /// - Parameter folder: the folder of this tuning. A parent is a path, or the name of a folder next to this one.
  /// - Throws: `TuningError` if a parent does not exist, has not ended, or has another objective, other hyperparameters or,
  ///   for IdenticalDataAndAlgorithm, other data.
  public func loadParents(beside folder: String) throws -> [ParentRecord] {
    guard let warmStart else { return [] }
    return try parents.map { name in
      let place = try parentFolder(name, folder)
      let record = try TuningFolder.read(place)
      let parent = try TuningRequest(record.request)
      try check(parent, record, name, warmStart)
      let jobs = record.jobs.filter { $0.status != .inProgress }.map { job in
        ParentRecord.Job(name: job.name, values: parent.statics.merging(job.tuned) { $1 }, score: job.score)
      }
      return ParentRecord(
        name: parent.name, isIdentical: warmStart == .identical, jobs: jobs.filter { isUsable($0, warmStart) }
      )
    }
  }

  private func parentFolder(_ name: String, _ folder: String) throws(TuningError) -> String {
    let places = [name, join(folderName(folder), name)]
    let found = places.filter { FileStamp(path: join($0, TuningFolder.stateName)) != nil }
    guard let place = found.first else {
      throw TuningError(
        "The parent tuning job '\(name)' was not found: neither \(places[0]) nor \(places[1]) is the folder of a tuning"
      )
    }
    guard found.allSatisfy({ isSameFile($0, place) }) else {
      throw TuningError(
        "The parent tuning job '\(name)' may be the one in \(places[0]) or the one in \(places[1]); give its path"
      )
    }
    return place
  }

  private func check(
    _ parent: TuningRequest, _ record: TuningRecord, _ name: String, _ kind: WarmStart
  ) throws(TuningError) {
    guard record.status != .inProgress else {
      throw TuningError(
        "The parent tuning job '\(name)' is not finished; a parent must be in a terminal state"
          + " (Completed, Stopped or Failed)",
        lacks: .end)
    }
    guard parent.metric == metric, parent.plan.direction == plan.direction else {
      throw TuningError(
        "The parent tuning job '\(name)' has the objective \(parent.plan.direction.rawValue) \(parent.metric),"
          + " this one \(plan.direction.rawValue) \(metric); they must be the same")
    }
    guard parent.definitions.count == 1 else {
      throw TuningError(
        "The parent tuning job '\(name)' has several TrainingJobDefinitions; a warm start supports only one"
      )
    }
    let (theirs, ours) = (parent.hyperparameterNames, hyperparameterNames)
    guard theirs == ours else {
      let odd = shortList(theirs.symmetricDifference(ours).sorted())
      throw TuningError(
        "The parent tuning job '\(name)' has \(theirs.count) static and tunable hyperparameters and this one"
          + " \(ours.count); both must have the same ones. Not in both: \(odd)")
    }
    for parameter in plan.space.parameters {
      guard let other = parent.plan.space.parameters.first(where: { $0.name == parameter.name }),
        kindName(other) != kindName(parameter)
      else { continue }
      throw TuningError(
        "The hyperparameter '\(parameter.name)' is \(kindName(other)) in the parent tuning job '\(name)' and"
          + " \(kindName(parameter)) here; its type must not change")
    }
    if kind == .identical {
      guard Set(parent.channels) == Set(channels) else {
        throw TuningError(
          "The parent tuning job '\(name)' has different input data; IdenticalDataAndAlgorithm requires the"
            + " same data, TransferLearning does not")
      }
    }
  }

  private var hyperparameterNames: Set<String> { Set(statics.keys).union(plan.space.parameters.map(\.name)) }

  /// Whether the search can use a parent's job. With IdenticalDataAndAlgorithm, the job must have this tuning's static values.
  private func isUsable(_ job: ParentRecord.Job, _ kind: WarmStart) -> Bool {
    if kind == .transfer { return true }
    let free = Set(plan.space.parameters.map(\.name)).union(Self.resourceNames)
    return statics.allSatisfy { free.contains($0.key) || job.values[$0.key] == $0.value }
  }

  private func kindName(_ parameter: Parameter) -> String {
    switch parameter.domain {
    case .continuous: "continuous"
    case .integer: "integer"
    case .categorical: "categorical"
    }
  }
}
