import Files

/// What the caller may choose about a comparison.
public struct ComparisonOptions: Hashable, Sendable {
  /// Of the bootstrap; the same seed gives the same intervals.
  public var seed: UInt64
  public var draws: Int

  public init(seed: UInt64 = 0, draws: Int = 2_000) {
    self.seed = seed
    self.draws = draws
  }
}

extension Comparison {
  /// The detail that tells of images whose paths are not the same bytes in both runs.
  public static let joinedName = "joined"

  /// Compares two runs over the images both scored, joined by path; classes are joined by name.
  ///
  /// Images on one side only are counted and named, and play no other part.
  /// - Complexity: O(images + draws * (images not right in both + classes)).
  public init(_ a: Score, _ b: Score, _ options: ComparisonOptions = ComparisonOptions()) {
    let shared = PairedImages(a, b)
    images = shared.pairs.count
    missingInA = shared.missingInA
    missingInB = shared.missingInB
    truthConflicts = shared.truthConflicts
    if let example = shared.lookalikes.first {
      details.append(
        Detail(
          Comparison.joinedName,
          "\(shared.lookalikes.count) \(shared.lookalikes.count == 1 ? "image" : "images") whose names differ in Unicode form or case, such as \(example.a) and \(example.b)"
        ))
    }
    seed = options.seed
    draws = options.draws

    let (confusionA, confusionB) = (shared.confusion(\.a), shared.confusion(\.b))
    self.a = RunSummary(
      confusionA, scored: a.scored, ranks: shared.pairs.map { a.predictions.ranks[$0.placeA] })
    self.b = RunSummary(
      confusionB, scored: b.scored, ranks: shared.pairs.map { b.predictions.ranks[$0.placeB] })

    var counts = Array(repeating: Counts(), count: shared.classes.count)
    for pair in shared.pairs { counts[pair.truth].add(pair) }
    let all = counts.reduce(into: Counts()) { $0.add($1) }
    (bothRight, onlyARight, onlyBRight, bothWrong) = (all.bothRight, all.onlyA, all.onlyB, all.bothWrong)
    mcnemar = McNemar(onlyA: all.onlyA, onlyB: all.onlyB)

    let present = counts.indices.filter { counts[$0].support > 0 }
    let p = present.map { McNemar(onlyA: counts[$0].onlyA, onlyB: counts[$0].onlyB).exactP }
    let q = benjaminiHochberg(p)
    classes = counts.indices.map { counts[$0].change(label: $0, name: shared.classes[$0]) }
    for (place, label) in present.enumerated() {
      classes[label].p = p[place]
      classes[label].q = q[place]
    }
    flips = shared.pairs.compactMap { Flip($0, a.predictions[$0.placeA], b.predictions[$0.placeB]) }

    if let macroA = confusionA.macro(nil), let macroB = confusionB.macro(nil) {
      let drawn = PairedBootstrap(shared, seed: options.seed, draws: options.draws)
      let top1 = Double(all.onlyB - all.onlyA) / Double(images)
      if !drawn.top1.isEmpty {
        top1Difference = .percentile(top1, draws: drawn.top1)
        macroF1Difference = .percentile(macroB.f1 - macroA.f1, draws: drawn.macroF1)
      }
    }
  }

  /// How the two runs went over the images of one class, or of all.
  private struct Counts {
    var bothRight = 0
    var onlyA = 0
    var onlyB = 0
    var bothWrong = 0
    var support: Int { bothRight + onlyA + onlyB + bothWrong }

    mutating func add(_ pair: PairedImages.Pair) {
      switch (pair.a == pair.truth, pair.b == pair.truth) {
      case (true, true): bothRight += 1
      case (true, false): onlyA += 1
      case (false, true): onlyB += 1
      case (false, false): bothWrong += 1
      }
    }

    mutating func add(_ other: Counts) {
      bothRight += other.bothRight
      onlyA += other.onlyA
      onlyB += other.onlyB
      bothWrong += other.bothWrong
    }

    func change(label: Int, name: String) -> ClassChange {
      ClassChange(
        label: label, name: name, support: support, recallA: .wilson(bothRight + onlyA, of: support),
        recallB: .wilson(bothRight + onlyB, of: support), difference: ratio(onlyB - onlyA, support),
        onlyARight: onlyA, onlyBRight: onlyB, p: nil, q: nil)
    }
  }
}

extension RunSummary {
  /// - Parameter ranks: of the truth, for the images of `confusion`; 0 for a hard label.
  init(_ confusion: ConfusionCounts, scored: Int, ranks: [Int32]) {
    self.scored = scored
    correct = confusion.correctTotal
    top1 = confusion.total == 0 ? nil : .wilson(correct, of: confusion.total)
    top5 =
      ranks.isEmpty || ranks.contains(0) ? nil : .wilson(ranks.count { $0 <= 5 }, of: ranks.count)
    macroF1 = confusion.macro(nil)?.f1
    balancedAccuracy = confusion.balancedAccuracy
  }
}

extension Flip {
  /// `nil` where both runs say the same.
  init?(_ pair: PairedImages.Pair, _ one: Prediction, _ two: Prediction) {
    guard pair.a != pair.b else { return nil }
    kind = pair.b == pair.truth ? .fixed : pair.a == pair.truth ? .broken : .changed
    path = one.path
    truth = pair.truth
    (a, b) = (pair.a, pair.b)
    confidenceA = one.confidence
    confidenceB = two.confidence
  }
}
