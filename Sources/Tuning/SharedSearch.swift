import Search

/// The searches of a tuning's definitions, under one budget. They take turns: the next job is of the definition that has
/// begun the fewest, the first of equals.
struct SharedSearch: Sendable {
  struct Reason {
    let sentence: String
    var isConvergence = false
  }

  let request: TuningRequest
  let searches: [TuningSearch]

  /// - Throws: `SearchError` where Hyperband has no resource.
  init(_ request: TuningRequest) throws {
    self.request = request
    searches = try request.definitions.map { try TuningSearch($0) }
  }

  /// - Parameter running: indices of the jobs that run. One that is in progress and does not is to be begun anew.
  /// - Returns: what is next, and of which definition.
  func next(_ record: TuningRecord, running: Set<Int>) -> (definition: Int, step: TuningSearch.Step) {
    let parts = searches.indices.map { part($0, of: record) }
    let turns = searches.indices.sorted { (parts[$0].places.count, $0) < (parts[$1].places.count, $1) }
    for definition in turns {
      let (part, places) = parts[definition]
      let own = Set(places.indices.filter { running.contains(places[$0]) })
      switch searches[definition].next(part, running: own) {
      case .nothing: continue
      case .resume(let index, let resource):
        return (definition, .resume(places[index], resource: resource))
      case .begin(let tuned, let resource): return (definition, .begin(tuned, resource: resource))
      }
    }
    return (0, .nothing)
  }

  /// Whether there would be a further step, with nothing running.
  func hasMore(_ record: TuningRecord) -> Bool { next(record, running: []).step != .nothing }

  /// Held against the earlier jobs of its own definition.
  func isHopeless(_ index: Int, in record: TuningRecord) -> Bool {
    let definition = record.jobs[index].definition ?? 0
    guard searches.indices.contains(definition) else { return false }
    let (part, places) = part(definition, of: record)
    guard let own = places.firstIndex(of: index) else { return false }
    return searches[definition].isHopeless(own, in: part)
  }

  /// The record as if there were only the jobs of one definition, and where these are in the whole.
  private func part(_ definition: Int, of record: TuningRecord) -> (record: TuningRecord, places: [Int]) {
    if searches.count == 1 { return (record, Array(record.jobs.indices)) }
    var part = record
    let places = record.jobs.indices.filter { (record.jobs[$0].definition ?? 0) == definition }
    part.jobs = places.map { record.jobs[$0] }
    return (part, places)
  }

  /// What the completion criteria say, with all jobs that have ended.
  func reasonToEnd(_ record: TuningRecord) -> Reason? {
    let (ended, criteria, direction) = (record.ended, request.criteria, request.plan.direction)
    if let target = criteria.target,
      let job = ended.first(where: { $0.score.map { !direction.isBetter(target, than: $0) } ?? false })
    {
      return Reason(sentence: "TargetObjectiveMetricValue \(target) was reached by \(job.name)")
    }
    let still = TuningRequest.jobsNotImproving(ended, direction)
    if let limit = criteria.jobsNotImproving, still >= limit {
      return Reason(sentence: "the best objective has not improved in \(still) jobs")
    }
    let haveConverged = searches.indices.allSatisfy { searches[$0].hasConverged(part($0, of: record).record) }
    if criteria.endsOnConvergence, haveConverged {
      return Reason(sentence: "the search has converged", isConvergence: true)
    }
    return nil
  }
}
