import Files

/// What the caller may choose about a score.
public struct ScoreOptions: Hashable, Sendable {
  /// Of the bootstrap; the same seed gives the same intervals.
  public var seed: UInt64
  /// Of the bootstrap; 0 leaves it out.
  public var draws: Int
  /// The group of each class, in label order; `nil`: groups are found by clustering.
  public var groups: [String]?
  /// How many of the wrong predictions of highest confidence are listed.
  public var confidentErrorLimit: Int

  public init(seed: UInt64 = 0, draws: Int = 2_000, groups: [String]? = nil, confidentErrorLimit: Int = 500) {
    self.seed = seed
    self.draws = draws
    self.groups = groups
    self.confidentErrorLimit = confidentErrorLimit
  }
}

extension Tally {
  /// All metrics of what was added.
  ///
  /// Metrics that cannot be computed are `nil` and named in `omitted` with the reason; none throws.
  /// - Complexity: O(images * classes), a few times; O(classes^3) at worst for the seriated order, up to
  ///   `ClassOrders.seriationLimit` classes.
  public consuming func score(_ options: ScoreOptions = ScoreOptions()) -> Score {
    let (order, confusion) = arranged()
    let metrics = RowMetrics(takeSources(order, confusion, options))
    return score(order, confusion, metrics, options)
  }

  /// The same score, made by up to three threads where there are jobs for them.
  public consuming func score(_ options: ScoreOptions = ScoreOptions(), jobs: Int) async -> Score {
    let (order, confusion) = arranged()
    let metrics =
      jobs > 1
      ? await RowMetrics(sideBySide: takeSources(order, confusion, options))
      : RowMetrics(takeSources(order, confusion, options))
    return score(order, confusion, metrics, options)
  }

  private func arranged() -> ([Int32], ConfusionCounts) {
    let confusion = ConfusionCounts(
      classCount: classes.count, truths: columns.truths, predicted: columns.predicted)
    return (columns.pathOrder(), confusion)
  }

  /// Takes the rows out of the tally: they may be most of the memory, and nothing else needs them.
  private mutating func takeSources(
    _ order: [Int32], _ confusion: ConfusionCounts, _ options: ScoreOptions
  ) -> RowMetrics.Sources {
    let whyWithoutRows = whyWithoutProbabilities ?? rows.failure
    let taken = rows
    rows.drop("")
    return RowMetrics.Sources(
      rows: taken, columns: columns, order: order, confusion: confusion, options: options,
      whyWithoutRows: whyWithoutRows)
  }

  /// Why the metrics that need probabilities are missing.
  private var whyWithoutProbabilities: String? {
    columns.count == 0 ? "no image was scored" : hardLabels > 0 ? Tally.hardLabelReason : nil
  }

  private consuming func score(
    _ order: [Int32], _ confusion: ConfusionCounts, _ metrics: RowMetrics, _ options: ScoreOptions
  ) -> Score {
    var score = Score()
    score.missing = missing.sorted(by: precedes)
    score.invalid = invalid.sorted {
      hasSameBytes($0.path, $1.path) ? precedes($0.reason, $1.reason) : precedes($0.path, $1.path)
    }
    score.unexpected = unexpected.sorted(by: precedes)
    score.scored = columns.count
    score.images = columns.count + missing.count + invalid.count
    (score.unnormalised, score.ties, score.hardLabels) = (unnormalised, ties, hardLabels)
    omit(metrics, &score)
    score.slices = attributes.slices(
      columns.truths.indices.map { columns.truths[$0] == columns.predicted[$0] })
    attributes = AttributeColumns()
    let hasProbabilities = whyWithoutProbabilities == nil
    if hasProbabilities {
      let count = Double(columns.count)
      score.logLoss = logLoss.value / count
      // scikit-learn halves it for two classes, so that it is 0...1 there.
      score.brier = brier.value / count * (classes.count < 3 ? 0.5 : 1)
    }
    score.setConfusion(confusion, names: classes, averagePrecision: metrics.averagePrecision)
    score.setArrangement(confusion, names: classes, groups: options.groups)
    score.bootstrap = metrics.bootstrap
    if confusion.total > 0 && score.bootstrap == nil {
      score.omit(["bootstrap"], "no draws were asked for")
    }
    let classCount = classes.count
    var taken = ImageColumns()
    swap(&taken, &columns)
    score.predictions = PredictionTable(taken, order: order, classCount: classCount)
    score.setPredictions(
      metrics, order: order, classCount: classCount, confidentErrorLimit: options.confidentErrorLimit,
      hasProbabilities: hasProbabilities)
    return score
  }

  private func omit(_ metrics: RowMetrics, _ score: inout Score) {
    if columns.count == 0 {
      score.omit(
        ["top1", "macro", "micro", "weighted", "balanced_accuracy", "kappa", "mcc", "bootstrap"],
        "no image was scored")
    }
    if let reason = whyWithoutProbabilities {
      score.omit(
        [
          "top2", "top3", "top5", "top10", "rank_histogram", "log_loss", "brier", "ece", "calibration",
          "coverage", "confident_errors", "average_precision", "label_issues",
        ], reason)
    } else if let reason = metrics.failure {
      score.omit(["average_precision", "label_issues", "calibration.temperature"], reason)
    } else if metrics.temperature == nil {
      score.omit(["calibration.temperature"], "no temperature from 0.01 to 100 is better than all others")
    }
  }
}
