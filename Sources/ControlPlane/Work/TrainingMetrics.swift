import Files
import Foundation

/// What a training reached: FinalMetricDataList.
///
/// Metrics are the last values of `metrics.jsonl`; what MetricDefinitions define are those of the log's last lines that
/// match.
struct TrainingMetrics: Sendable {
  let final: [JSON]

  /// Bytes of the log's end that are looked through.
  private static let longestLog = 4 << 20

  init(container: String, job: Resource, logPath: String, now: Double) {
    var values: [String: Double] = [:]
    let path = join(container, "output/data/metrics.jsonl")
    let bytes = (try? readFile(path, limit: 64 << 20).bytes) ?? []
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      guard let epoch = try? JSON(reading: Array(line)) else { continue }
      for (name, member) in [
        ("train:accuracy", "train_accuracy"), ("validation:accuracy", "validation_accuracy"),
      ] {
        guard let value = epoch[member]?.number else { continue }
        values[name] = value
      }
    }
    for (name, value) in Self.defined(by: job, logPath) where values[name] == nil { values[name] = value }
    final = values.sorted { $0.key < $1.key }.map { name, value in
      ["MetricName": .string(name), "Value": .number(value), "Timestamp": .number(now)]
    }
  }

  private static func defined(by job: Resource, _ logPath: String) -> [String: Double] {
    let definitions = job.request["AlgorithmSpecification"]?["MetricDefinitions"]?.list ?? []
    guard !definitions.isEmpty, let bytes = try? readFile(logPath, limit: 1 << 30).bytes else { return [:] }
    let lines = String(decoding: bytes.suffix(longestLog), as: UTF8.self).split(separator: "\n")
    var values: [String: Double] = [:]
    for definition in definitions {
      guard let name = definition["Name"]?.text, let pattern = definition["Regex"]?.text,
        let expression = try? NSRegularExpression(pattern: pattern)
      else { continue }
      // A line is short: the pattern is the user's, and may be a slow one.
      for line in lines.reversed().lazy.map({ String($0.prefix(1000)) }) {
        guard let match = expression.firstMatch(in: line, range: NSRange(line.startIndex..., in: line)),
          match.numberOfRanges > 1, let range = Range(match.range(at: 1), in: line),
          let value = Double(line[range]),
          value.isFinite
        else { continue }
        values[name] = value
        break
      }
    }
    return values
  }
}
