import Encodings
import Files
import Hyperparameters
import Jobs
import Tuning

/// The final metrics of a training: FinalMetricDataList.
///
/// The trainer's own metrics are those of the saved model (`EpochRecord.isKept`), from `metrics.jsonl`. A metric of
/// MetricDefinitions is the value in the last line of the log that matches.
struct TrainingMetrics: Sendable {
  let final: [JSON]

  /// How many bytes of the log's end are searched, and how long that may take.
  private static let longestLog = 1 << 20
  private static let longestSearch = Duration.seconds(10)

  init(container: String, job: Resource, logPath: String, now: Double) {
    var values: [String: Double] = [:]
    let frequency = job.request["HyperParameters"]?["checkpoint_frequency"]?.text.flatMap { Int($0) }
    let path = join(container, "output/data/metrics.jsonl")
    let bytes = (try? readFile(path, limit: 64 << 20).bytes) ?? []
    if let epoch = EpochRecord.read(bytes).last(where: { $0.isKept(checkpointFrequency: frequency) }) {
      values = ["train:accuracy": epoch.trainAccuracy, "validation:accuracy": epoch.validationAccuracy]
    }
    for (name, value) in Self.defined(by: job, logPath) where values[name] == nil { values[name] = value }
    final = values.sorted { precedes($0.key, $1.key) }.map { Self.metric($0, $1, at: now) }
  }

  private static func metric(_ name: String, _ value: Double, at time: Double) -> JSON {
    ["MetricName": .string(name), "Value": .number(value), "Timestamp": .number(time)]
  }

  /// The list with one metric set to this value.
  static func setting(_ name: String, to value: Double, in list: [JSON], at time: Double) -> [JSON] {
    let others = list.filter { !hasSameBytes($0["MetricName"]?.text ?? "", name) }
    return (others + [metric(name, value, at: time)]).sorted {
      precedes($0["MetricName"]?.text ?? "", $1["MetricName"]?.text ?? "")
    }
  }

  private static func defined(by job: Resource, _ logPath: String) -> [String: Double] {
    let definitions = definitions(of: job.request)
    guard !definitions.isEmpty else { return [:] }
    let lines = lastLines(of: logPath, byteCount: longestLog)
    let begin = ContinuousClock.now
    var values: [String: Double] = [:]
    for definition in definitions {
      guard let pattern = try? definition.read() else { continue }
      for line in lines.reversed() {
        guard ContinuousClock.now - begin < longestSearch else { return values }
        guard let value = pattern.number(in: line), value.isFinite else { continue }
        values[definition.name] = value
        break
      }
    }
    return values
  }

  /// The MetricDefinitions of a training job's request.
  static func definitions(of request: JSON) -> [TuningRequest.MetricDefinition] {
    (request["AlgorithmSpecification"]?["MetricDefinitions"]?.list ?? []).compactMap { definition in
      guard let name = definition["Name"]?.text, let pattern = definition["Regex"]?.text else { return nil }
      return TuningRequest.MetricDefinition(name: name, pattern: pattern)
    }
  }
}
