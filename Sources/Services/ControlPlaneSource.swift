package import Dashboard
import Encodings
import Files
import Foundation
import HTTP
import Jobs
import NIOCore
package import S3
package import SageMaker

/// The dashboard's data from the control plane's store and the object store.
package struct ControlPlaneSource: DashboardSource {
  let api: SageMakerAPI
  let s3: S3Service

  /// The largest number of training jobs read for a tuning job: one more than its page shows, so that the page can say that
  /// there are more.
  private static let mostTrials = 1001
  /// How much of a log is shown, in bytes from its end.
  private static let longestLog = 1 << 16
  /// The largest metrics file or report that is read, in bytes.
  private static let longestFile = 64 << 20

  package init(_ api: SageMakerAPI, _ s3: S3Service) { (self.api, self.s3) = (api, s3) }

  package func jobs(_ kind: JobKind?, _ part: ListPage) async throws -> ListedRows<JobRow> {
    let kinds = kind.map { [$0.resource] } ?? JobKind.allCases.map(\.resource)
    let page = try await api.store.newest(kinds, most: part.count, after: part.after)
    return ListedRows(try await rows(page), next: page.next)
  }

  private func rows(_ page: NewestPage) async throws -> [JobRow] {
    var rows: [JobRow] = []
    for (kind, job) in page.rows {
      guard let shown = JobKind.allCases.first(where: { $0.resource == kind }) else { continue }
      var row = Self.row(shown, job)
      if shown == .tuning {
        let count = try await api.store.counts(.trainingJob, parent: job.name).values.reduce(0, +)
        row.note = count == 1 ? "1 job" : "\(count) jobs"
      }
      rows.append(row)
    }
    return rows
  }

  private static func row(_ kind: JobKind, _ job: Resource) -> JobRow {
    var row = JobRow(kind, job.name, status: job.status, created: date(job.created))
    row.ended = job.state["\(kind.resource.activity)EndTime"]?.number.map { date($0) }
    if kind == .training { row.note = accuracy(job) }
    return row
  }

  /// The final objective, or else the final validation accuracy, rounded to four decimals.
  private static func accuracy(_ job: Resource) -> String? {
    let metrics = job.state["FinalMetricDataList"]?.list ?? []
    let accuracy = metrics.first { $0["MetricName"]?.text == "validation:accuracy" }?["Value"]?.number
    return (job.objective ?? accuracy).map { "\(($0 * 10_000).rounded() / 10_000)" }
  }

  static func date(_ seconds: Double) -> Date { Date(timeIntervalSince1970: seconds) }

  // MARK: Training

  package func trainingJob(_ name: String) async throws -> TrainingJobView? {
    guard let job = try await api.store.find(.trainingJob, name) else { return nil }
    var view = TrainingJobView(Self.row(.training, job))
    view.secondaryStatus = job.state["SecondaryStatus"]?.text
    view.failureReason = job.state["FailureReason"]?.text
    view.tuningJob = job.parent
    view.facts = Self.facts(job)
    view.hyperparameters = (job.request["HyperParameters"] ?? [:]).texts.sorted { $0.key < $1.key }
      .map { Fact($0.key, $0.value) }
    let folder = api.folder(of: .trainingJob, name)
    let results = join(folder, "opt-ml/output/data")
    let (metrics, log, report) = try await s3.work.run {
      (
        try? readFile(join(results, "metrics.jsonl"), limit: Self.longestFile).bytes,
        lastLines(of: join(folder, "log"), byteCount: Self.longestLog),
        try? readFile(join(results, "training.html"), limit: Self.longestFile).bytes
      )
    }
    view.metrics = metrics ?? []
    view.log = log
    view.report = report
    return view
  }

  private static func facts(_ job: Resource) -> [Fact] {
    let algorithm = job.request["AlgorithmSpecification"] ?? [:]
    var facts = [
      Fact("Algorithm", algorithm["TrainingImage"]?.text ?? algorithm["AlgorithmName"]?.text ?? ""),
      Fact("Instance", job.request["ResourceConfig"]?["InstanceType"]?.text ?? ""),
    ]
    for channel in job.request["InputDataConfig"]?.list ?? [] {
      facts.append(
        Fact(
          "Channel \(channel["ChannelName"]?.text ?? "")",
          channel["DataSource"]?["S3DataSource"]?["S3Uri"]?.text ?? ""))
    }
    facts.append(
      Fact(
        "Model",
        job.state["ModelArtifacts"]?["S3ModelArtifacts"]?.text
          ?? job.request["OutputDataConfig"]?["S3OutputPath"]?.text ?? ""))
    return facts.filter { !$0.value.isEmpty }
  }

  package func events(ofTrainingJob name: String) async throws -> AsyncStream<JobEvent> {
    let (events, source) = AsyncStream.makeStream(of: JobEvent.self, bufferingPolicy: .bufferingNewest(256))
    guard let job = try await api.store.find(.trainingJob, name), job.isInWork else {
      source.finish()
      return events
    }
    let folder = api.folder(of: .trainingJob, name)
    let log = join(folder, "log")
    let metrics = join(folder, "opt-ml/output/data/metrics.jsonl")
    // The lines are counted before the stream starts: each later line is an event.
    let counts = try await s3.work.run {
      // A queued job does not have the folder yet.
      try makeFolder(folderName(metrics))
      return (log: lineCount(of: log), metrics: lineCount(of: metrics))
    }
    let following = Task {
      // If a file cannot be followed, the page still shows the state at the time it was loaded.
      try? await followLines(of: log, skipping: counts.log) { line in
        source.yield(.log(line))
      } during: {
        try await followLines(of: metrics, skipping: counts.metrics) { _ in
          source.yield(.changed)
        } during: {
          try await follow(job, source)
        }
      }
      source.finish()
    }
    source.onTermination = { _ in following.cancel() }
    return events
  }

  private func follow(_ job: Resource, _ source: AsyncStream<JobEvent>.Continuation) async throws {
    var seen = job.modified
    try await api.store.follow(.trainingJob, job.name) { job in
      if job.modified > seen { source.yield(.changed) }
      seen = job.modified
      return job.isInWork
    }
  }

  // MARK: Tuning

  package func tuningJob(_ name: String) async throws -> TuningJobView? {
    guard let job = try await api.store.find(.tuningJob, name) else { return nil }
    let config = job.request["HyperParameterTuningJobConfig"] ?? [:]
    let objective = TuningRules.objective(of: job.request)?["MetricName"]?.text ?? "objective"
    var view = TuningJobView(
      Self.row(.tuning, job), strategy: config["Strategy"]?.text ?? "Bayesian", objective: objective,
      isMaximized: TuningRules.isMaximized(job.request))
    view.failureReason = job.state["FailureReason"]?.text
    let limits = config["ResourceLimits"] ?? [:]
    for (words, member) in [
      ("Parallel jobs", "MaxParallelTrainingJobs"), ("Maximum jobs", "MaxNumberOfTrainingJobs"),
    ] {
      if let count = limits[member]?.integer { view.facts.append(Fact(words, "\(count)")) }
    }
    view.parameters = Self.parameters(TuningRules.ranges(of: job.request))
    view.trials = try await api.store.trainingJobs(of: name, most: Self.mostTrials).map { trial in
      .init(
        Self.row(.training, trial), parameters: (trial.state["tuned"] ?? [:]).texts,
        objective: trial.objective)
    }
    return view
  }

  private static func parameters(_ ranges: JSON) -> [TuningJobView.Parameter] {
    var parameters: [TuningJobView.Parameter] = []
    for member in ["ContinuousParameterRanges", "IntegerParameterRanges"] {
      for range in ranges[member]?.list ?? [] {
        guard let name = range["Name"]?.text, let low = range["MinValue"]?.text.flatMap({ Double($0) }),
          let high = range["MaxValue"]?.text.flatMap({ Double($0) })
        else { continue }
        let isLogarithmic = ["Logarithmic", "ReverseLogarithmic"].contains(range["ScalingType"]?.text)
        parameters.append(.init(name, .range(low: low, high: high, isLogarithmic: isLogarithmic)))
      }
    }
    for range in ranges["CategoricalParameterRanges"]?.list ?? [] {
      guard let name = range["Name"]?.text else { continue }
      parameters.append(.init(name, .categories((range["Values"]?.list ?? []).compactMap(\.text))))
    }
    return parameters
  }

  // MARK: Transform

  package func transformJob(_ name: String) async throws -> TransformJobView? {
    guard let job = try await api.store.find(.transformJob, name) else { return nil }
    var view = TransformJobView(Self.row(.transform, job), model: job.request["ModelName"]?.text ?? "")
    view.failureReason = job.state["FailureReason"]?.text
    let input = job.request["TransformInput"]?["DataSource"]?["S3DataSource"]?["S3Uri"]?.text
    view.facts = [
      ("Input", input), ("Output", job.request["TransformOutput"]?["S3OutputPath"]?.text),
      ("Content type", job.request["TransformInput"]?["ContentType"]?.text),
    ].compactMap { name, value in value.map { Fact(name, $0) } }
    let output = join(api.folder(of: .transformJob, name), "output")
    // The outputs of a job in progress are incomplete and must not be scored.
    if !job.isInWork, isFolder(output), try !isEmptyFolder(output) { view.outputs = output }
    return view
  }
}

extension JobKind {
  fileprivate var resource: ResourceKind {
    switch self {
    case .training: .trainingJob
    case .tuning: .tuningJob
    case .transform: .transformJob
    }
  }
}

extension ControlPlaneSource {
  package func models(_ part: ListPage) async throws -> ListedRows<ModelView> {
    let page = try await api.store.newest([.model], most: part.count, after: part.after)
    return ListedRows(
      page.rows.map { _, model in
        ModelView(
          model.name, created: Self.date(model.created),
          dataURL: SageMakerAPI.modelData(of: SageMakerAPI.container(of: model)) ?? "")
      }, next: page.next)
  }

  package func endpoints() async throws -> [EndpointView] {
    let page = try await api.store.newest([.endpoint], most: api.options.quotas.endpoints)
    return page.rows.map { _, endpoint in
      var view = EndpointView(
        endpoint.name, status: endpoint.status,
        configuration: endpoint.state["EndpointConfigName"]?.text ?? "", created: Self.date(endpoint.created))
      view.failureReason = endpoint.state["FailureReason"]?.text
      return view
    }
  }

  package func buckets() async throws -> [BucketView] {
    try await s3.work.run { [store = s3.store] in
      try store.buckets().map {
        BucketView($0.name, created: Self.date(Double($0.created.secondsSince1970)))
      }
    }
  }

  package func objects(in bucket: String, prefix: String, _ part: ListPage) async throws -> ObjectListing? {
    let query = ListingQuery(
      prefix: prefix, delimiter: "/", after: part.after ?? "", maximumCount: part.count)
    return try await Self.found {
      try await s3.work.run { [store = s3.store] in
        let page = try store.list(bucket, query)
        return ObjectListing(
          folders: page.commonPrefixes,
          objects: page.objects.map {
            .init(
              $0.key, byteCount: $0.byteCount, modified: Self.date(Double($0.modified.secondsSince1970)))
          }, next: page.isTruncated ? page.last : nil)
      }
    }
  }

  package func object(_ key: String, in bucket: String) async throws -> ObjectContent? {
    let work = s3.work
    guard
      let reader = try await Self.found({
        try await work.run { [store = s3.store] in try store.open(bucket, key) }
      })
    else { return nil }
    let end = reader.info.byteCount
    return ObjectContent(byteCount: end) { take in
      var offset = 0
      while offset < end {
        let piece = try await S3Service.piece(reader, offset, end, work)
        offset += piece.readableBytes
        try await take(Array(buffer: piece))
      }
    }
  }

  package func localPath(of reference: String) async throws -> String? {
    guard let place = S3Location(reference) else {
      guard let path = try? Encodings.localPath(ofReference: reference),
        FileManager.default.fileExists(atPath: path)
      else { return nil }
      return path
    }
    return try await Self.found {
      try await s3.work.run { [store = s3.store] in
        let (bucket, key) = (place.bucket, place.key)
        let path = join(join(store.root, bucket), key)
        // A folder cannot be opened as an object. An object listed in it proves that it exists, without following a link.
        let folder = key.isEmpty || key.utf8.last == UInt8(ascii: "/") ? key : key + "/"
        if try !store.list(bucket, ListingQuery(prefix: folder, maximumCount: 1)).objects.isEmpty {
          return path
        }
        _ = try store.open(bucket, key)
        return path
      }
    }
  }

  /// Runs a lookup; nil if the bucket or the object does not exist.
  private static func found<Value>(_ body: () async throws -> Value) async throws -> Value? {
    do {
      return try await body()
    } catch let error as ObjectError where error.code == .noSuchBucket || error.code == .noSuchKey {
      return nil
    }
  }
}
