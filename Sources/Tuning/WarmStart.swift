import Files
import Search

extension TuningRequest {
  /// The jobs of the parents that WarmStartConfig names.
  ///
  /// - Parameter folder: of this tuning; a parent is a path, or a folder beside it.
  /// - Throws: `TuningError`: a parent that is not there, is not over, has another objective or other hyperparameters, or,
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
        "The parent tuning job '\(name)' is not there: neither \(places[0]) nor \(places[1]) is the folder of a tuning"
      )
    }
    guard found.allSatisfy({ isSameFile($0, place) }) else {
      throw TuningError(
        "The parent tuning job '\(name)' may be the one in \(places[0]) or the one in \(places[1]); write the path of one"
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
        "The parent tuning job '\(name)' has several TrainingJobDefinitions, with which a warm start is not offered"
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
          "The parent tuning job '\(name)' has other input data; IdenticalDataAndAlgorithm needs the same,"
            + " TransferLearning does not")
      }
    }
  }

  private var hyperparameterNames: Set<String> { Set(statics.keys).union(plan.space.parameters.map(\.name)) }

  /// Of an identical search a job is as one of this search's own only where what is static here was so there.
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
