import Encodings

extension SageMakerAPI {
  /// One page of a kind, each resource as `summary` shows it.
  func list(
    _ kind: ResourceKind, _ call: Call, as member: String, ascending: Bool, sortBy: ListQuery.Key = .created,
    parent: String? = nil, _ summary: (Resource) -> JSON
  ) async throws(ControlPlaneError) -> JSON {
    let request = call.request
    var query = ListQuery()
    query.nameContains = request["NameContains"]?.text
    query.createdAfter = request["CreationTimeAfter"]?.number
    query.createdBefore = request["CreationTimeBefore"]?.number
    query.modifiedAfter = request["LastModifiedTimeAfter"]?.number
    query.modifiedBefore = request["LastModifiedTimeBefore"]?.number
    query.status = request["StatusEquals"]?.text
    query.parent = parent
    query.key =
      switch request["SortBy"]?.text {
      case "Name": .name
      case "CreationTime": .created
      case "Status": .status
      case "FinalObjectiveMetricValue": .objective
      default: sortBy
      }
    query.isAscending = request["SortOrder"]?.text.map { $0 == "Ascending" } ?? ascending
    query.most = request["MaxResults"]?.integer ?? 10
    query.token = request["NextToken"]?.text
    let page = try await store.page(kind, query)
    var answer: JSON = .object([member: .list(page.resources.map(summary))])
    answer["NextToken"] = page.token.map { .string($0) }
    return answer
  }

  /// - Throws: `.notFound` for jobs, `.validation` for the rest, as SageMaker does.
  func existing(
    _ kind: ResourceKind, _ name: String, _ call: Call
  ) async throws(ControlPlaneError) -> Resource {
    if let resource = try await store.find(kind, name) { return resource }
    throw kind.missing(call.arn(kind, name))
  }

  /// Of what has no states.
  func delete(_ kind: ResourceKind, _ name: String, _ call: Call) async throws(ControlPlaneError) {
    if try await store.delete(kind, name) == nil { throw kind.missing(call.arn(kind, name)) }
  }

  /// Asks a job to end.
  func stop(_ kind: ResourceKind, _ name: String) async throws(ControlPlaneError) {
    let job = try await engine.askToStop(JobEngine.Work(kind, name)) { job in
      // Asked for twice is asked for once.
      guard job.status == "InProgress" || job.status == "Stopping" else {
        throw ControlPlaneError.invalid(
          "The request was rejected because the \(kind.words) is in status \(job.status).")
      }
    }
    if job == nil { throw ControlPlaneError(.notFound, "Requested resource not found.") }
  }
}

extension ResourceKind {
  func missing(_ arn: String) -> ControlPlaneError {
    isJob
      ? ControlPlaneError(.notFound, "Requested resource not found.")
      : .invalid("Could not find \(words) \"\(arn)\".")
  }

  /// The refusal of a name that is taken.
  func taken(_ arn: String) -> ControlPlaneError {
    switch self {
    case .trainingJob, .transformJob, .tuningJob:
      let name = words.prefix(1).uppercased() + words.dropFirst()
      return ControlPlaneError(
        .inUse,
        "\(name) names must be unique within an AWS account and region, and a \(words) with this name already exists "
          + "(\(arn))")
    case .model, .endpoint, .endpointConfig:
      return .invalid("Cannot create already existing \(words) \"\(arn)\".")
    }
  }
}
