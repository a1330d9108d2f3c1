import Predictions
import TestSupport

/// What became of the outputs of a folder or file, read as `imrec score` reads them, but one after the other.
struct Judgement: Equatable {
  struct Scored: Equatable {
    var truth: Int
    /// The probabilities; empty for a label.
    var row: [Double] = []
    var label: Int?
  }
  var scored: [String: Scored] = [:]
  var missing: [String] = []
  /// The reason, by path.
  var invalid: [String: String] = [:]
  var unexpected: [String: String] = [:]
  var rules: [MatchRule: Int] = [:]
  var classes: [String] = []
  var passCount = 0
  var outputCount = 0
  var inputCount = 0

  /// Whether images = scored + invalid + missing, and no path is in two of the lists.
  var isReconciled: Bool {
    inputCount == scored.count + invalid.count + missing.count
      && Set(scored.keys).union(invalid.keys).union(missing).count == inputCount
  }
}

func judge(_ outputs: String, truth path: String, classes names: [String]? = nil) throws -> Judgement {
  let truth = try Truth(path, classes: try names.map { try ClassList($0) })
  return try judge(try PredictionPlan(try OutputSource(outputs), truth))
}

func judge(_ plan: PredictionPlan) throws -> Judgement {
  let truth = plan.truth
  var ledger = Ledger(plan)
  var judgement = Judgement()
  judgement.classes = plan.classes.names
  judgement.inputCount = truth.count + truth.rejections.count
  repeat {
    judgement.scored = [:]
    judgement.outputCount = 0
    judgement.passCount += 1
    let plan = ledger.plan
    var batches = try plan.batches()
    while let batch = try batches.next() {
      let rows = plan.read(batch)
      judgement.outputCount += rows.count
      ledger.take(rows) { output, row, _ in
        var scored = Judgement.Scored(truth: output.truth)
        switch output.content {
        case .probabilities: scored.row = (0..<row.count).map { row[$0] }
        case .label(let label): scored.label = label
        }
        if judgement.scored.updateValue(scored, forKey: output.path) != nil { return "scored twice" }
        return nil
      }
    }
  } while try ledger.endPass()
  judgement.missing = ledger.missing
  for item in ledger.invalid { judgement.invalid[item.path] = item.reason }
  for item in ledger.unexpected { judgement.unexpected[item.path] = item.reason }
  judgement.rules = ledger.ruleCounts
  return judgement
}

/// Writes `<name>.out` for each name, and a list of truth, and judges.
func judge(
  outputs: [String: String], truth: [(path: String, label: Int)], classes: [String]? = nil,
  suffix: String = ".out"
) throws -> Judgement {
  try withScratchFolder { folder in
    for (name, text) in outputs { writeScratchFile("\(folder)/outputs/\(name)\(suffix)", text.utf8) }
    makeScratchFolders(above: "\(folder)/outputs/x")
    let lines = truth.enumerated().map {
      "\($0.offset + 100)\t\($0.element.label).000000\t\($0.element.path)\n"
    }
    writeScratchFile("\(folder)/truth.lst", lines.joined().utf8)
    return try judge("\(folder)/outputs", truth: "\(folder)/truth.lst", classes: classes)
  }
}

/// Judges a file of lines against a list.
func judge(lines: String, truth: [(path: String, label: Int)], classes: [String]? = nil) throws -> Judgement {
  try withScratchFolder { folder in
    writeScratchFile("\(folder)/outputs.jsonl", lines.utf8)
    let list = truth.enumerated().map {
      "\($0.offset + 100)\t\($0.element.label).000000\t\($0.element.path)\n"
    }
    writeScratchFile("\(folder)/truth.lst", list.joined().utf8)
    return try judge("\(folder)/outputs.jsonl", truth: "\(folder)/truth.lst", classes: classes)
  }
}
