/// An output that counts: its image, the true class, and what was predicted.
public struct ScoredOutput: Sendable {
  /// What the output predicts.
  public enum Content: Hashable, Sendable {
    /// A probability for each class; the values are passed beside this value.
    case probabilities
    /// The predicted class alone.
    case label(Int)
  }
  /// The index of the image in the truth.
  public let entry: Int
  /// The image's path in the truth; the output's own name where outputs are matched by class number.
  public let path: String
  /// The true label.
  public let truth: Int
  /// What is predicted.
  public let content: Content
}

/// Accounts for every image of the truth and for every output.
///
/// These hold for any input: images = scored + invalid + missing, and every output is scored, belongs to an invalid
/// image, or is unexpected. The outputs may have to be read a second time, because a score cannot be taken back when a
/// later output of the same image contradicts the first.
///
/// ```swift
/// repeat {
///   // a new tally
///   for batch in ledger.plan.batches() { ledger.take(ledger.plan.read(batch)) { ... } }
/// } while try ledger.endPass()
/// ```
///
/// Memory: 13 bytes an image.
public struct Ledger: Sendable {
  private enum State: UInt8 {
    case missing, scored, invalid
    /// Invalid from the start of the pass, whatever outputs come.
    case barred
  }
  /// The plan of the current pass; `endPass` may replace it.
  public private(set) var plan: PredictionPlan
  private var states: [State]
  /// The fingerprint of each image's first output.
  private var fingerprints: [UInt64]
  /// The `place` of each image's first output.
  private var places: [Int32]
  /// Why an image is barred, by its index.
  private var bars: [Int: String] = [:]
  /// Images whose outputs differ, found in this pass.
  private var contradictions: [Int: String] = [:]
  private var reasons: [(entry: Int, reason: String)] = []
  /// The images of each class that no output has taken yet, the next one last; only for Caltech's names.
  private var pools: [Int32: [Int]] = [:]
  private var caltechNameCount = 0
  private var rowCount = 0

  /// The number of images scored in this pass.
  public private(set) var scoredCount = 0
  /// How many images each rule matched in this pass.
  public private(set) var ruleCounts: [MatchRule: Int] = [:]
  /// Outputs that count for no image, each with its name or place and the reason.
  public private(set) var unexpected: [InputProblem] = []
  /// Names of outputs that match no image; collected in the first pass only.
  private var strangers: [[UInt8]] = []
  private var hasLookedForLookalikes = false
  /// For each rule that matches names which are not the same (`stem`, `spelling`, `folder`), the first output that it
  /// matched, and the image.
  public private(set) var examples: [MatchRule: (output: String, image: String)] = [:]
  /// The folders of the truth where each makes all names of outputs match; empty where none does, or only one.
  public private(set) var fittingFolders: [String] = []

  /// A ledger before the first pass. An image whose label is beyond the classes of the plan is invalid from the start.
  public init(_ plan: PredictionPlan) {
    self.plan = plan
    let truth = plan.truth
    states = [State](repeating: .missing, count: truth.count)
    fingerprints = [UInt64](repeating: 0, count: truth.count)
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

  /// Enters the rows of the next batch.
  ///
  /// - Parameters:
  ///   - rows: of the batches in their order, none left out.
  ///   - score: called for each output that counts, with its probabilities (none for a label) and its index in `rows`;
  ///     returns `nil` where it scored the output, else why the output is invalid.
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

  /// The image that the row belongs to; `nil` where there is none, and the row is then entered as unexpected.
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
      // The image is invalid, whatever this output says.
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
      add(row, "the truth has no more images of class \(label)")
      return nil
    }
    if case .none(let reason) = row.match { add(row, faultText(row) ?? reason) }
    return nil
  }

  /// What is wrong with a line that names no image and cannot be read; better than saying that it names none.
  private func faultText(_ row: OutputRows.Row) -> String? {
    if case .none = row.name, case .failure(let fault) = row.content { return fault.description }
    return nil
  }

  private mutating func add(_ row: OutputRows.Row, _ reason: String) {
    let isGiven = if case .given = row.name { true } else { false }
    let path = isGiven ? plan.name(row) ?? plan.origin(row) : plan.origin(row)
    unexpected.append(InputProblem(path: path, reason: reason))
  }

  /// Makes the row the image's output.
  /// - Returns: `false` where the image has an output already, or is barred.
  private mutating func claim(_ entry: Int, _ row: OutputRows.Row) -> Bool {
    if states[entry] == .barred { return false }
    if states[entry] == .missing {
      fingerprints[entry] = row.fingerprint
      places[entry] = Int32(truncatingIfNeeded: row.place)
      return true
    }
    if fingerprints[entry] == row.fingerprint {
      add(row, "the image \(plan.truth.path(entry)) already has the same output")
    } else if contradictions[entry] == nil {
      contradictions[entry] =
        "two of its outputs contradict each other: \(firstOrigin(entry)) and \(plan.origin(row))"
    }
    return false
  }

  private func firstOrigin(_ entry: Int) -> String {
    plan.origin(
      OutputRows.Row(
        place: Int(places[entry]), line: nil, name: .none, match: .none(""), content: .success(.label(0)),
        valueStart: 0, fingerprint: 0))
  }

  private mutating func refuse(_ entry: Int, _ reason: String, _ row: OutputRows.Row) {
    states[entry] = .invalid
    if case .lines = plan.source.kind {
      reasons.append((entry, "\(plan.origin(row)): \(reason)"))
    } else {
      reasons.append((entry, reason))
    }
  }

  /// The path that a scored output is listed under. With Caltech's names it is the output's own name, because only the
  /// class of its image is known.
  private func path(_ entry: Int, _ row: OutputRows.Row) -> String {
    plan.mode == .byCaltechName ? plan.name(row) ?? plan.truth.path(entry) : plan.truth.path(entry)
  }

  /// Ends a pass over all outputs.
  ///
  /// - Returns: whether the outputs must be read again from the first batch; everything scored in this pass is then
  ///   void. Two passes more at most: one for names that look alike or for Caltech's names, one for contradictions.
  /// - Throws: `.orderUnknown`, where lines without names are not as many as the images.
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

  /// The paths of images without an output, in the order of the truth.
  public var missing: [String] {
    states.indices.filter { states[$0] == .missing }.map { plan.truth.path($0) }
  }

  /// Images that cannot be scored: because of their truth, of contradicting outputs, or of their output.
  public var invalid: [InputProblem] {
    plan.truth.rejections
      + bars.sorted { $0.key < $1.key }.map { InputProblem(path: plan.truth.path($0), reason: $1) }
      + reasons.map { InputProblem(path: plan.truth.path($0.entry), reason: $0.reason) }
  }
}
