import Glibc
import Hyperparameters

/// Formats events as the log lines of SageMaker's algorithm, so that programs that parse its log can parse this one.
///
/// Accuracies have six decimals; epochs and batches count from 0. The accuracy in a batch's line is that of the epoch
/// so far. Training accuracy covers full batches, validation accuracy every image once.
public struct TrainingLog: Sendable {
  /// Whether each line begins with the time, the level and the thread, as in SageMaker's containers.
  public let hasTime: Bool
  /// The k in the name `top_k_accuracy_K`; nil: top-k accuracy is not logged.
  public let topK: Int?

  public init(hasTime: Bool, topK: Int? = nil) {
    self.hasTime = hasTime
    self.topK = topK
  }

  /// The lines of an event, without newlines; empty for events that only a progress bar shows.
  public func lines(_ event: TrainingEvent) -> [String] {
    switch event {
    case .progress, .validating: []
    case .resumed(let epoch, let batch):
      info(["Resuming from the checkpoint: epoch \(epoch), batch \(batch)"])
    case .speed(let epoch, let batch, let speed, let sums):
      info([
        "Epoch[\(epoch)] Batch [\(batch)]\tSpeed: \(fixed(speed, 2)) samples/sec\taccuracy=\(fixed(sums.accuracy, 6))"
          + (topK.map { "\ttop_k_accuracy_\($0)=\(fixed(sums.topAccuracy, 6))" } ?? "")
      ])
    case .trained(let record):
      info(
        ["Epoch[\(record.epoch)] Train-accuracy=\(fixed(record.trainAccuracy, 6))"]
          + top(record.trainTopAccuracy, "Epoch[\(record.epoch)] Train")
          + ["Epoch[\(record.epoch)] Time cost=\(fixed(record.seconds, 3))"])
    case .validated(let record):
      info(
        ["Epoch[\(record.epoch)] Validation-accuracy=\(fixed(record.validationAccuracy, 6))"]
          + top(record.validationTopAccuracy, "Epoch[\(record.epoch)] Validation"))
    case .best(let record):
      info(["Storing the best model with validation accuracy: \(fixed(record.validationAccuracy, 6))"])
    case .stored(let path): info(["Saved checkpoint to \"\(path)\""])
    case .checkpoint: []
    case .stoppedEarly(let epoch, let best):
      info([
        "Early stopping after epoch \(epoch)"
          + (best.map {
            ": no improvement on epoch \($0.epoch), validation accuracy \(fixed($0.validationAccuracy, 6))"
          } ?? "")
      ])
    case .warning(let words): stamped(["warning: " + words], "WARNING")
    }
  }

  /// The block of hyperparameters at the start of the log.
  public func parameterBlock(_ parameters: [String]) -> [String] {
    info(["---- Parameters ----"] + parameters + ["--------------------"])
  }

  /// Lines of level INFO.
  public func info(_ lines: [String]) -> [String] { stamped(lines, "INFO") }

  /// The line in which SageMaker's algorithm reports an error that the user can correct.
  public func failure(_ words: String) -> [String] { stamped(["Customer Error: " + words], "ERROR") }

  private func top(_ value: Double?, _ start: String) -> [String] {
    guard let topK, let value else { return [] }
    return ["\(start)-top_k_accuracy_\(topK)=\(fixed(value, 6))"]
  }

  private func stamped(_ lines: [String], _ level: String) -> [String] {
    guard hasTime else { return lines }
    let stamp = "[\(Self.now()) \(level) \(UInt(pthread_self()))] "
    return lines.map { stamp + $0 }
  }

  /// Local time as MM/DD/YYYY HH:MM:SS; empty if the time zone cannot be read.
  private static func now() -> String {
    var seconds = time(nil)
    var parts = unsafe tm()
    guard unsafe localtime_r(&seconds, &parts) != nil else { return "" }
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let day = unsafe "\(two(parts.tm_mon + 1))/\(two(parts.tm_mday))/\(parts.tm_year + 1900)"
    return unsafe "\(day) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
  }
}

/// Formats like C's `%.nf`, but rounds exact halves away from 0.
func fixed(_ value: Double, _ decimals: Int) -> String {
  guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
  var scale = 1.0
  for _ in 0..<decimals { scale *= 10 }
  guard let scaled = Int64(exactly: (value * scale).rounded()) else { return "\(value)" }
  let digits = String(scaled.magnitude)
  let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
  let whole = padded.dropLast(decimals)
  return "\(scaled < 0 ? "-" : "")\(whole)\(decimals > 0 ? "." : "")\(padded.suffix(decimals))"
}
