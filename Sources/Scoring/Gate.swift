/// A value a run must reach, or, of a loss, must not exceed.
///
/// Written `metric=threshold` or `class:NAME.metric=threshold`, with commas between. A class name may hold any
/// character: what stands between `class:` and `.metric=` is read as the longest name of the class list that fits
/// there; in double quotes (`class:"a,b".recall=0.5`, with `""` for a quote) it is taken as it is.
public struct Gate: Hashable, Sendable {
  /// A name of `Gate.metrics`, or of `Gate.classMetrics` where there is a class.
  public let metric: String
  public let className: String?
  public let threshold: Double
  /// As the user wrote it before the `=`.
  public let name: String

  /// Metrics of the whole run: the keys of the schema; those of an average are joined by `_`.
  public static let metrics = [
    "top1", "top2", "top3", "top5", "top10", "macro_precision", "macro_recall", "macro_f1",
    "macro_average_precision", "micro_precision", "micro_recall", "micro_f1", "weighted_precision",
    "weighted_recall", "weighted_f1", "weighted_average_precision", "balanced_accuracy", "kappa", "mcc",
    "log_loss", "brier", "ece", "ece_equal_mass", "mce",
  ]
  /// Metrics of one class.
  public static let classMetrics = ["precision", "recall", "f1", "average_precision", "support"]
  /// Metrics that are better when smaller: the threshold is the largest value that passes.
  public static let losses = ["log_loss", "brier", "ece", "ece_equal_mass", "mce"]

  public var isLoss: Bool { Gate.losses.contains(metric) }

  func passes(_ value: Double?) -> Bool {
    guard let value else { return false }
    return isLoss ? value <= threshold : value >= threshold
  }
}

/// How a gate ended.
public struct GateResult: Codable, Hashable, Sendable {
  /// As the user wrote it, without the threshold, for example "class:bathtub.recall".
  public var gate: String
  /// `nil` where the metric is not there: such a gate has failed.
  @OrNull public var value: Double?
  public var threshold: Double
  public var passed: Bool
}

extension Score {
  /// The value of each gate, and whether it passes: at least the threshold, of a loss at most.
  public func evaluate(_ gates: [Gate]) -> [GateResult] {
    gates.map { gate in
      let value: Double?
      if let name = gate.className {
        value = classes.first { $0.name.utf8.elementsEqual(name.utf8) }.flatMap { $0.value(gate.metric) }
      } else {
        value = self.value(gate.metric)
      }
      return GateResult(gate: gate.name, value: value, threshold: gate.threshold, passed: gate.passes(value))
    }
  }

  /// A metric by its name in `Gate.metrics`; `nil` where it could not be computed, or there is none of that name.
  public func value(_ metric: String) -> Double? {
    for (prefix, averages) in [("macro_", macro), ("micro_", micro), ("weighted_", weighted)]
    where metric.hasPrefix(prefix) {
      return averages?.value(String(metric.dropFirst(prefix.count)))
    }
    return switch metric {
    case "top1": top1?.value
    case "top2": top2?.value
    case "top3": top3?.value
    case "top5": top5?.value
    case "top10": top10?.value
    case "balanced_accuracy": balancedAccuracy
    case "kappa": kappa
    case "mcc": mcc
    case "log_loss": logLoss
    case "brier": brier
    case "ece": ece
    case "ece_equal_mass": calibration?.eceEqualMass
    case "mce": calibration?.mce
    default: nil
    }
  }
}

extension Averages {
  func value(_ metric: String) -> Double? {
    switch metric {
    case "precision": precision
    case "recall": recall
    case "f1": f1
    case "average_precision": averagePrecision
    default: nil
    }
  }
}

extension ClassScore {
  /// A metric by its name in `Gate.classMetrics`. Recall of a class that does not occur is `nil`, not 0: it was not
  /// measured.
  func value(_ metric: String) -> Double? {
    switch metric {
    case "precision": precision
    case "recall": support == 0 ? nil : recall.value
    case "f1": f1
    case "average_precision": support == 0 ? nil : averagePrecision
    case "support": Double(support)
    default: nil
    }
  }
}

extension Comparison {
  /// Metrics that may be said to drop by at most so much from A to B.
  public static let dropMetrics = ["top1", "top5", "macro_f1", "balanced_accuracy"]

  /// Whether B is worse than A by more than allowed. `value` is the drop, A - B: negative where B is better.
  /// - Parameter gates: from `Gate.parseDrops`; the threshold is the largest drop that passes.
  public func evaluate(_ gates: [Gate]) -> [GateResult] {
    gates.map { gate in
      let drop: Double?
      if let name = gate.className {
        drop = classes.first { $0.name.utf8.elementsEqual(name.utf8) && $0.support > 0 }.map {
          -$0.difference
        }
      } else if let before = a.value(gate.metric), let after = b.value(gate.metric) {
        drop = before - after
      } else {
        drop = nil
      }
      // A difference of two rounded quotients may pass the limit by its last bits.
      let passed = drop.map { $0 <= gate.threshold + 1e-12 } ?? false
      return GateResult(gate: gate.name, value: drop, threshold: gate.threshold, passed: passed)
    }
  }
}

extension RunSummary {
  func value(_ metric: String) -> Double? {
    switch metric {
    case "top1": top1?.value
    case "top5": top5?.value
    case "macro_f1": macroF1
    case "balanced_accuracy": balancedAccuracy
    default: nil
    }
  }
}
