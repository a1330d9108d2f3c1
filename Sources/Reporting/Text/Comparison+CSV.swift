public import Files
public import Scoring

extension Comparison {
  /// Writes the tables of this target's README into a folder, as a score does.
  public func writeCSV(to folder: String) throws(FileError) {
    try CSVTable.write(
      [summaryTable, changeTable, classTable, flipTable, inputTable, gates.table], to: folder)
  }

  private var summaryTable: CSVTable {
    CSVTable(
      name: "summary", columns: ["metric", "a", "b", "difference", "difference_low", "difference_high"]
    ) { (csv) throws(FileError) in
      for (name, before, after) in [("scored", a.scored, b.scored), ("correct", a.correct, b.correct)] {
        csv.add(text: name)
        csv.add(before)
        csv.add(after)
        csv.add(after - before)
        csv.add(nil as Double?)
        csv.add(nil as Double?)
        try csv.endRow()
      }
      for (name, before, after, difference) in figures {
        csv.add(text: name)
        csv.add(before)
        csv.add(after)
        csv.add(difference?.value ?? Self.difference(before, after))
        csv.add(difference?.low)
        csv.add(difference?.high)
        try csv.endRow()
      }
    }
  }

  private var figures: [(String, Double?, Double?, Estimate?)] {
    [
      ("top1", a.top1?.value, b.top1?.value, top1Difference), ("top5", a.top5?.value, b.top5?.value, nil),
      ("macro_f1", a.macroF1, b.macroF1, macroF1Difference),
      ("balanced_accuracy", a.balancedAccuracy, b.balancedAccuracy, nil),
    ]
  }

  private static func difference(_ before: Double?, _ after: Double?) -> Double? {
    guard let before, let after else { return nil }
    return after - before
  }

  private var changeTable: CSVTable {
    CSVTable(
      name: "changes",
      columns: [
        "images", "both_right", "only_a_right", "only_b_right", "both_wrong", "mcnemar_exact_p",
        "mcnemar_mid_p",
      ]
    ) { (csv) throws(FileError) in
      for count in [images, bothRight, onlyARight, onlyBRight, bothWrong] { csv.add(count) }
      csv.add(mcnemar.exactP)
      csv.add(mcnemar.midP)
      try csv.endRow()
    }
  }

  private var classTable: CSVTable {
    CSVTable(
      name: "classes",
      columns: [
        "label", "name", "support", "recall_a", "recall_a_low", "recall_a_high", "recall_b", "recall_b_low",
        "recall_b_high", "difference", "only_a_right", "only_b_right", "p", "q",
      ]
    ) { (csv) throws(FileError) in
      for item in classes {
        csv.add(item.label, named: item.name)
        csv.add(item.support)
        csv.add(item.recallA)
        csv.add(item.recallB)
        csv.add(item.difference)
        csv.add(item.onlyARight)
        csv.add(item.onlyBRight)
        csv.add(item.p)
        csv.add(item.q)
        try csv.endRow()
      }
    }
  }

  private var flipTable: CSVTable {
    CSVTable(
      name: "flips",
      columns: [
        "kind", "path", "truth", "truth_name", "a", "a_name", "b", "b_name", "confidence_a", "confidence_b",
      ]
    ) { (csv) throws(FileError) in
      for flip in flips {
        csv.add(text: flip.kind.rawValue)
        csv.add(text: flip.path)
        csv.add(flip.truth, named: name(flip.truth))
        csv.add(flip.a, named: name(flip.a))
        csv.add(flip.b, named: name(flip.b))
        csv.add(flip.confidenceA)
        csv.add(flip.confidenceB)
        try csv.endRow()
      }
    }
  }

  private var inputTable: CSVTable {
    CSVTable(name: "inputs", columns: ["status", "path"]) { (csv) throws(FileError) in
      for (status, paths) in [
        ("missing_in_a", missingInA), ("missing_in_b", missingInB), ("truth_conflict", truthConflicts),
      ] {
        for path in paths {
          csv.add(text: status)
          csv.add(text: path)
          try csv.endRow()
        }
      }
    }
  }
}
