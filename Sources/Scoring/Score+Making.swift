extension Score {
  mutating func omit(_ metrics: [String], _ reason: String) {
    for metric in metrics { omitted.append(Omission(metric: metric, reason: reason)) }
  }

  /// What follows from the confusion matrix alone.
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

  /// The orders of the classes, and their groups.
  /// - Parameter groups: the caller's, one name a class.
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
          : "there are no errors by which classes could be brought together")
    }
  }

  /// What is said of single images, and what follows from their confidence; `predictions` is there already.
  /// - Parameter order: the number each image of `predictions` had when it was added.
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
      ImageError(
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
