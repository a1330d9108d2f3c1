/// An output that counts: its image, the true class, and what was predicted.
public struct ScoredOutput: Sendable {
  public enum Content: Hashable, Sendable {
    case probabilities
    /// The predicted class alone is known.
    case label(Int)
  }
  /// The image's place in the truth.
  public let entry: Int
  public let path: String
  public let truth: Int
  public let content: Content
}

/// Keeps the books: which image of the truth has which output, and what became of every output.
///
/// The sums hold whatever comes: images = scored + invalid + missing, and every output is scored, belongs to an
/// invalid image, or is unexpected. The outputs may have to be read a second time: for what is scored cannot be taken
/// back when a second output of the same image says something else.
public struct Ledger: Sendable {
  private enum State: UInt8 {
    case missing, scored, invalid
    /// Invalid for good, whatever outputs come.
    case barred
  }
  public private(set) var plan: PredictionPlan
  private var states: [State]
  private var prints: [UInt64]
  /// The first output of each image.
  private var places: [Int32]
  private var bars: [Int: String] = [:]
  private var contradictions: [Int: String] = [:]
  private var reasons: [(entry: Int, reason: String)] = []
  /// Images of each class that no Caltech name has taken yet, the next one last.
  private var pools: [Int32: [Int]] = [:]
  private var caltechNameCount = 0
  private var rowCount = 0

  /// Images that were scored.
  public private(set) var scoredCount = 0
  /// Images each rule has joined.
  public private(set) var ruleCounts: [MatchRule: Int] = [:]
  /// Outputs that count for no image, by the reason.
  public private(set) var unexpected: [Truth.Rejection] = []
  /// Names of outputs that fit no image.
  private var strangers: [[UInt8]] = []
  private var hasLookedForLookalikes = false
  /// The first output that was joined by a rule which takes other names for the same, and its image.
  public private(set) var examples: [MatchRule: (output: String, image: String)] = [:]
  /// Folders of the truth, each of which would make all names of outputs fit; none where there is one, or no such.
  public private(set) var fittingFolders: [String] = []

  public init(_ plan: PredictionPlan) {
    self.plan = plan
    let truth = plan.truth
    states = [State](repeating: .missing, count: truth.count)
    prints = [UInt64](repeating: 0, count: truth.count)
    places = [Int32](repeating: 0, count: truth.count)
    for entry in 0..<truth.count where truth.label(entry) >= plan.classes.count {
      bars[entry] =
        "label \(truth.label(entry)) is unknown; a whole number from 0 to \(plan.classes.count - 1) is expected"
    }
    startPass()
  }

  private mutating func startPass() {
    for entry in states.indices { states[entry] = .missing }
    for entry in bars.keys { states[entry] = .barred }
    (reasons, unexpected, ruleCounts, pools) = ([], [], [:], [:])
    (scoredCount, rowCount, caltechNameCount) = (0, 0, 0)
    (strangers, examples) = ([], [:])
    if plan.mode == .byCaltechName {
      for entry in states.indices.reversed() where states[entry] == .missing {
        pools[plan.truth.labels[entry], default: []].append(entry)
      }
    }
  }

  /// Enters the rows of a batch, in the order of the batches.
  ///
  /// - Parameter score: is called for each output that counts, with its probabilities, none for a label, and its
  ///   place in the batch; it gives back why the output cannot be scored after all, `nil` if it was.
  public mutating func take(_ rows: OutputRows, score: (ScoredOutput, Span<Double>, Int) -> String?) {
    for (place, row) in rows.rows.enumerated() {
      rowCount += 1
      guard let entry = entry(for: row) else { continue }
      guard claim(entry, row) else { continue }
      let scored: ScoredOutput
      var range = 0..<0
      switch row.content {
      case .failure(let fault):
        refuse(entry, fault.description, row)
        continue
      case .success(.label(let label)):
        scored = ScoredOutput(
          entry: entry, path: path(entry, row), truth: plan.truth.label(entry), content: .label(label))
      case .success(.probabilities(let count)):
        range = row.valueStart..<(row.valueStart + count)
        scored = ScoredOutput(
          entry: entry, path: path(entry, row), truth: plan.truth.label(entry), content: .probabilities)
      }
      if let reason = score(scored, rows.values.span.extracting(range), place) {
        refuse(entry, reason, row)
      } else {
        states[entry] = .scored
        scoredCount += 1
      }
    }
  }

  /// The image the row belongs to; `nil`, entered as unexpected, if none.
  private mutating func entry(for row: OutputRows.Row) -> Int? {
    switch plan.mode {
    case .byOrder:
      let entry = rowCount - 1
      if entry < plan.truth.count {
        ruleCounts[.order, default: 0] += 1
        return entry
      }
    case .byName:
      if case .entry(let entry, let rule) = row.match {
        if states[entry] == .missing {
          ruleCounts[rule, default: 0] += 1
          if rule == .stem || rule == .spelling || rule == .folder, examples[rule] == nil {
            examples[rule] = (plan.name(row) ?? plan.origin(row), plan.truth.path(entry))
          }
        }
        return entry
      }
      // It belongs to an image that is invalid, whatever it says.
      if case .rejected = row.match { return nil }
      if let name = plan.nameBytes(row) {
        if caltechLabel(name.span) != nil { caltechNameCount += 1 }
        if !hasLookedForLookalikes { strangers.append(name) }
      }
    case .byCaltechName:
      if case .rejected = row.match { return nil }
      guard let name = plan.nameBytes(row), let label = caltechLabel(name.span) else { break }
      if let entry = pools[Int32(label)]?.popLast() {
        ruleCounts[.caltech, default: 0] += 1
        return entry
      }
      add(row, "the truth has no further image of class \(label)")
      return nil
    }
    if case .none(let reason) = row.match { add(row, faultText(row) ?? reason) }
    return nil
  }

  /// A line without a name is best described by what is wrong with it.
  private func faultText(_ row: OutputRows.Row) -> String? {
    if case .none = row.name, case .failure(let fault) = row.content { return fault.description }
    return nil
  }

  private mutating func add(_ row: OutputRows.Row, _ reason: String) {
    let isGiven = if case .given = row.name { true } else { false }
    let path = isGiven ? plan.name(row) ?? plan.origin(row) : plan.origin(row)
    unexpected.append(Truth.Rejection(path: path, reason: reason))
  }

  /// Makes the row the image's output.
  /// - Returns: `false` if the image has one already, or is barred.
  private mutating func claim(_ entry: Int, _ row: OutputRows.Row) -> Bool {
    if states[entry] == .barred { return false }
    if states[entry] == .missing {
      prints[entry] = row.print
      places[entry] = Int32(truncatingIfNeeded: row.place)
      return true
    }
    if prints[entry] == row.print {
      add(row, "the image \(plan.truth.path(entry)) has the same output already")
    } else if contradictions[entry] == nil {
      contradictions[entry] =
        "two outputs say different things of it: \(firstOrigin(entry)) and \(plan.origin(row))"
    }
    return false
  }

  private func firstOrigin(_ entry: Int) -> String {
    plan.origin(
      OutputRows.Row(
        place: Int(places[entry]), line: nil, name: .none, match: .none(""), content: .success(.label(0)),
        valueStart: 0, print: 0))
  }

  private mutating func refuse(_ entry: Int, _ reason: String, _ row: OutputRows.Row) {
    states[entry] = .invalid
    if case .lines = plan.source.kind {
      reasons.append((entry, "\(plan.origin(row)): \(reason)"))
    } else {
      reasons.append((entry, reason))
    }
  }

  /// With Caltech's names the output's own: which of the class's images it was is not known.
  private func path(_ entry: Int, _ row: OutputRows.Row) -> String {
    plan.mode == .byCaltechName ? plan.name(row) ?? plan.truth.path(entry) : plan.truth.path(entry)
  }

  /// Ends a pass over all outputs.
  ///
  /// - Returns: whether the outputs have to be read again, from the first; nothing of what was scored counts then.
  /// - Throws: `.orderUnknown`.
  public mutating func endPass() throws(OutputError) -> Bool {
    if plan.mode == .byOrder && rowCount != plan.truth.count {
      throw OutputError(.orderUnknown(lines: rowCount, images: plan.truth.count), path: plan.source.path)
    }
    if plan.mode == .byName && !hasLookedForLookalikes {
      hasLookedForLookalikes = true
      let images = states.indices.filter { states[$0] == .missing }
      let alike = Lookalikes(
        plan.truth, images: images, outputs: strangers, folderCount: plan.source.commonFolderCount)
      fittingFolders = alike.folders
      if !alike.matches.isEmpty {
        plan = plan.adding(alike.matches)
        bars.merge(contradictions) { $1 }
        contradictions = [:]
        startPass()
        return true
      }
    }
    if plan.mode == .byName && caltechNameCount > 0 && ruleCounts.isEmpty {
      plan = plan.byCaltechName()
    } else if contradictions.isEmpty {
      return false
    }
    bars.merge(contradictions) { $1 }
    contradictions = [:]
    startPass()
    return true
  }

  /// Images without an output, in the order of the truth.
  public var missing: [String] {
    states.indices.filter { states[$0] == .missing }.map { plan.truth.path($0) }
  }

  /// Images that cannot be scored, for their truth or for their output.
  public var invalid: [Truth.Rejection] {
    plan.truth.rejections
      + bars.sorted { $0.key < $1.key }.map { Truth.Rejection(path: plan.truth.path($0), reason: $1) }
      + reasons.map { Truth.Rejection(path: plan.truth.path($0.entry), reason: $0.reason) }
  }
}
