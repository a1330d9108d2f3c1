/// The metrics that take most of the time of a score. None needs another: they may be made side by side.
struct RowMetrics: Sendable {
  /// What they are made of.
  struct Sources: Sendable {
    let rows: RowStore
    let columns: ImageColumns
    /// The images in an order that does not depend on how they came.
    let order: [Int32]
    let confusion: ConfusionCounts
    let options: ScoreOptions
    /// Why there are no rows, if so.
    let whyWithoutRows: String?
  }

  /// Of each class.
  private(set) var averagePrecision: [Double]?
  /// Images whose label is probably wrong, in no order.
  private(set) var issues: [Int]?
  private(set) var temperature: Temperature?
  private(set) var bootstrap: Bootstrap?
  /// Why those of the rows are missing.
  private(set) var failure: String?

  /// One after the other.
  init(_ sources: consuming Sources) {
    bootstrap = sources.bootstrap()
    take(sources.precisionAndIssues(), sources.temperature())
  }

  /// Side by side; the same values, for every sum of them is one of whole numbers.
  init(sideBySide sources: consuming Sources) async {
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
    fromRows { () throws(SpillError) in try TemperatureFit(rows: rows, columns: columns).best(order: order) }
  }

  private func fromRows<Value>(_ make: () throws(SpillError) -> Value) -> Result<Value, SpillError> {
    if let reason = whyWithoutRows { return .failure(SpillError(words: reason)) }
    return Result { () throws(SpillError) in try make() }
  }

  fileprivate func bootstrap() -> Bootstrap? {
    Bootstrap(confusion, seed: options.seed, draws: options.draws)
  }
}
