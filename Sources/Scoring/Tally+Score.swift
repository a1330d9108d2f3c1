import Files

/// What the caller may choose about a score.
public struct ScoreOptions: Hashable, Sendable {
  /// The seed of the bootstrap; the same seed gives the same intervals.
  public var seed: UInt64
  /// The number of resamples of the bootstrap; 0 leaves it out.
  public var draws: Int
  /// The group of each class, in label order; `nil` to find groups by clustering.
  public var groups: [String]?
  /// How many of the wrong predictions of highest confidence are listed.
  public var confidentErrorLimit: Int

  /// Options with these values.
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
  /// Metrics that cannot be computed are `nil`, and `omitted` says why. Nothing throws.
  /// - Complexity: O(images * classes), a few times, and O(classes^3) at worst for the seriated order of up to
  ///   `ClassOrders.seriationLimit` classes.
  public consuming func score(_ options: ScoreOptions = ScoreOptions()) -> Score {
    let (order, confusion) = arranged()
    let metrics = RowMetrics(takeSources(order, confusion, options))
    return score(order, confusion, metrics, options)
  }

  /// The same score, computed by up to three threads.
  /// - Parameter jobs: above 1 to use several threads. The score does not depend on it.
  public consuming func score(_ options: ScoreOptions = ScoreOptions(), jobs: Int) async -> Score {
    let (order, confusion) = arranged()
    let metrics =
      jobs > 1
      ? await RowMetrics(inParallel: takeSources(order, confusion, options))
      : RowMetrics(takeSources(order, confusion, options))
    return score(order, confusion, metrics, options)
  }

  private func arranged() -> ([Int32], ConfusionCounts) {
    let confusion = ConfusionCounts(
      classCount: classes.count, truths: columns.truths, predicted: columns.predicted)
    return (columns.pathOrder(), confusion)
  }

  /// Moves the rows out of the tally, because they may be most of its memory and nothing else needs them.
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

  /// Why the metrics that need probabilities are missing; `nil` where they are not.
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

extension Score {
  mutating func omit(_ metrics: [String], _ reason: String) {
    for metric in metrics { omitted.append(Omission(metric: metric, reason: reason)) }
  }

  /// Sets what follows from the confusion matrix alone.
  mutating func setConfusion(_ counts: ConfusionCounts, names: [String], averagePrecision: [Double]?) {
    if counts.total > 0 { top1 = .wilson(counts.correctTotal, of: counts.total) }
    macro = counts.macro(averagePrecision)
    micro = counts.micro
    weighted = counts.weighted(averagePrecision)
    balancedAccuracy = counts.balancedAccuracy
    kappa = counts.kappa
    mcc = counts.mcc
    if counts.total > 0 && kappa == nil {
      omit(["kappa"], "all images are of one class and predicted as it: chance would agree as well")
    }
    classes = counts.classScores(names, averagePrecision: averagePrecision)
    confusion = counts.cells
    errors = counts.errors
    let directed = counts.directedPairs
    let symmetric = counts.symmetricPairs(directed)
    directedPairs = Array(directed.prefix(Score.pairLimit))
    directedPairCount = directed.count
    pairs = Array(symmetric.prefix(Score.pairLimit))
    pairCount = symmetric.count
  }

  /// Sets the orders of the classes and their groups.
  /// - Parameter groups: the caller's groups, one name for each class; `nil` to find groups.
  mutating func setArrangement(_ counts: ConfusionCounts, names: [String], groups groupNames: [String]?) {
    var seriated: [Int]?
    if names.count <= ClassOrders.seriationLimit {
      let confusability = Confusability(counts)
      let tree = Dendrogram(similarity: confusability.similarity, leafCount: names.count)
      let order = LeafOrder(tree, similarity: confusability.similarity).classes
      seriated = order
      if groupNames == nil && counts.errors > 0 {
        groups = Grouping(
          clustered: tree, confusability: confusability, seriated: order, classNames: names,
          confusion: counts)
      }
    } else {
      omit(["orders.seriated"], "there are more than \(ClassOrders.seriationLimit) classes")
    }
    orders = counts.orders(names, seriated: seriated)
    if let groupNames {
      if groupNames.count == names.count {
        groups = Grouping(given: groupNames, confusion: counts)
      } else {
        omit(["groups"], "\(groupNames.count) groups are given for \(names.count) classes")
      }
    } else if groups == nil {
      omit(
        ["groups"],
        seriated == nil
          ? "there are more than \(ClassOrders.seriationLimit) classes"
          : "there are no errors to group classes by")
    }
  }

  /// Sets the lists of images and what follows from their confidence; `predictions` must be set already.
  /// - Parameter order: the number that each image of `predictions` had when it was added.
  mutating func setPredictions(
    _ rows: RowMetrics, order: [Int32], classCount: Int, confidentErrorLimit: Int, hasProbabilities: Bool
  ) {
    for place in predictions.indices.dropFirst()
    where predictions.paths.isBefore(place - 1, place) == nil { duplicates += 1 }
    guard hasProbabilities else { return }
    setRanks(classCount)

    var outcomes = predictions.indices.map { place in
      Outcome(
        confidence: predictions.confidences[place],
        isCorrect: predictions.truths[place] == predictions.predicted[place])
    }
    outcomes.sort { $0.confidence < $1.confidence }
    calibration = Calibration(outcomes)
    calibration?.temperature = rows.temperature
    ece = calibration?.eceEqualWidth
    coverage = CoveragePoint.curve(outcomes)

    let wrong = predictions.indices.filter { predictions.truths[$0] != predictions.predicted[$0] }
    let worst = wrong.sorted {
      (-predictions.confidences[$0], $0) < (-predictions.confidences[$1], $1)
    }
    confidentErrors = worst.prefix(max(0, confidentErrorLimit)).map { place in
      WrongPrediction(
        path: predictions.paths[place], truth: Int(predictions.truths[place]),
        predicted: Int(predictions.predicted[place]), confidence: predictions.confidences[place],
        truthProbability: predictions.truthProbabilities[place], rank: Int(predictions.ranks[place]))
    }
    if let issues = rows.issues { setLabelIssues(Set(issues.map(Int32.init)), order) }
  }

  private mutating func setRanks(_ classCount: Int) {
    var histogram = Array(repeating: 0, count: classCount)
    for rank in predictions.ranks { histogram[Int(rank) - 1] += 1 }
    func top(_ k: Int) -> Estimate { .wilson(histogram.prefix(k).reduce(0, +), of: predictions.count) }
    (top2, top3, top5, top10) = (top(2), top(3), top(5), top(10))
    rankHistogram = histogram
  }

  private mutating func setLabelIssues(_ images: Set<Int32>, _ order: [Int32]) {
    let places = predictions.indices.filter { images.contains(order[$0]) }
    let ranked = places.sorted {
      (predictions.truthProbabilities[$0], $0) < (predictions.truthProbabilities[$1], $1)
    }
    labelIssues = LabelIssues(
      method: "prune_by_noise_rate", count: ranked.count,
      images: ranked.prefix(LabelIssues.imageLimit).map { place in
        LabelIssue(
          path: predictions.paths[place], label: Int(predictions.truths[place]),
          suggested: Int(predictions.predicted[place]),
          selfConfidence: predictions.truthProbabilities[place],
          confidence: predictions.confidences[place])
      })
  }
}

/// The metrics that take most of the time of a score. They are independent of each other, so they can be computed in
/// parallel.
struct RowMetrics: Sendable {
  /// What they are computed from.
  struct Sources: Sendable {
    let rows: RowStore
    let columns: ImageColumns
    /// The images, in an order that does not depend on how they came.
    let order: [Int32]
    let confusion: ConfusionCounts
    let options: ScoreOptions
    /// Why there are no rows; `nil` where there are.
    let whyWithoutRows: String?
  }

  /// The average precision of each class.
  private(set) var averagePrecision: [Double]?
  /// Images whose label is probably wrong, in no particular order.
  private(set) var issues: [Int]?
  private(set) var temperature: Temperature?
  private(set) var bootstrap: Bootstrap?
  /// Why the metrics that need the rows are missing; `nil` where they are not.
  private(set) var failure: String?

  /// Computes one after the other.
  init(_ sources: consuming Sources) {
    bootstrap = sources.bootstrap()
    take(sources.precisionAndIssues(), sources.temperature())
  }

  /// Computes in parallel. The values are the same, because every sum is one of integers.
  init(inParallel sources: consuming Sources) async {
    let sources = sources
    async let temperature = sources.temperature()
    async let bootstrap = sources.bootstrap()
    let precision = sources.precisionAndIssues()
    self.bootstrap = await bootstrap
    take(precision, await temperature)
  }

  private mutating func take(
    _ precision: Sources.PrecisionAndIssues, _ fitted: Result<Temperature?, SpillError>
  ) {
    do throws(SpillError) {
      temperature = try fitted.get()
      (averagePrecision, issues) = try precision.get()
    } catch {
      temperature = nil
      failure = error.words
    }
  }
}

extension RowMetrics.Sources {
  typealias PrecisionAndIssues = Result<([Double], [Int]), SpillError>

  fileprivate func precisionAndIssues() -> PrecisionAndIssues {
    fromRows { () throws(SpillError) in
      let classCount = rows.width
      var precision = AveragePrecision(
        classCount: classCount, truths: columns.truths, truthScores: columns.truthScores)
      var learning = ConfidentLearning(classCount: classCount, columns: columns)
      try rows.forEachBlock { first, block in
        precision.add(block, first: first, truths: columns.truths)
        learning.add(block, first: first, predicted: columns.predicted)
      }
      var places = order
      for (place, image) in order.enumerated() { places[Int(image)] = Int32(place) }
      let issues = try learning.issues(rows, predicted: columns.predicted, places: places)
      return (precision.values, issues)
    }
  }

  fileprivate func temperature() -> Result<Temperature?, SpillError> {
    fromRows { () throws(SpillError) in
      var fit = TemperatureFit(rows: rows, columns: columns)
      return try fit.best(order: order)
    }
  }

  private func fromRows<Value>(_ make: () throws(SpillError) -> Value) -> Result<Value, SpillError> {
    if let reason = whyWithoutRows { return .failure(SpillError(words: reason)) }
    return Result { () throws(SpillError) in try make() }
  }

  fileprivate func bootstrap() -> Bootstrap? {
    Bootstrap(confusion, seed: options.seed, draws: options.draws)
  }
}
