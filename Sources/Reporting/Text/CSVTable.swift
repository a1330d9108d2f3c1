public import Files
public import Scoring

/// One table of a folder of CSV files.
struct CSVTable {
  let name: String
  let columns: [String]
  let rows: (inout CSVWriter) throws(FileError) -> Void

  /// Writes all tables before any of them gets its name, so that a folder never has only some of them.
  static func write(_ tables: some Collection<CSVTable>, to folder: String) throws(FileError) {
    try makeFolder(folder)
    try write(ArraySlice(Array(tables)), below: folder)
  }

  private static func write(_ tables: ArraySlice<CSVTable>, below folder: String) throws(FileError) {
    guard let table = tables.first else { return }
    var writer = try CSVWriter(join(folder, table.name + ".csv"), columns: table.columns)
    do throws(FileError) {
      try table.rows(&writer)
      try write(tables.dropFirst(), below: folder)
    } catch {
      writer.discard()
      throw error
    }
    try writer.publish()
  }
}

extension CSVWriter {
  /// Adds the label and the name of a class.
  mutating func add(_ label: Int, named name: String) {
    add(label)
    add(text: name)
  }
}

extension Score {
  /// Writes the tables that this target's README lists into a folder, which is created if necessary.
  ///
  /// Each table is written in full before the first one gets its name. A table whose data were not computed has its
  /// header only.
  /// - Throws: `FileError`; no table is then changed unless the last step, renaming, fails.
  /// - Complexity: O(images + cells of the confusion matrix that are not zero); memory does not depend on them.
  public func writeCSV(to folder: String) throws(FileError) {
    try CSVTable.write(tables, to: folder)
  }

  private var tables: [CSVTable] {
    [
      summaryTable, classTable, confusionTable, pairTable, directedPairTable, groupTable, calibrationTable,
      coverageTable, sliceTable, confidentErrorTable, labelIssueTable, inputTable, gates.table,
      predictionTable,
    ]
  }

  private var summaryTable: CSVTable {
    CSVTable(name: "summary", columns: ["metric", "value", "low", "high"]) { (csv) throws(FileError) in
      for (name, count) in [
        ("images", images), ("scored", scored), ("invalid", invalid.count), ("missing", missing.count),
        ("unexpected", unexpected.count), ("errors", errors), ("unnormalised", unnormalised), ("ties", ties),
        ("hard_labels", hardLabels), ("duplicates", duplicates),
      ] {
        csv.add(text: name)
        csv.add(count)
        csv.add(nil as Double?)
        csv.add(nil as Double?)
        try csv.endRow()
      }
      let intervals = [
        "top1": top1, "top2": top2, "top3": top3, "top5": top5, "top10": top10,
        "macro_precision": bootstrap?.macroPrecision, "macro_recall": bootstrap?.macroRecall,
        "macro_f1": bootstrap?.macroF1, "balanced_accuracy": bootstrap?.balancedAccuracy,
      ]
      for metric in Gate.metrics {
        let interval = intervals[metric] ?? nil
        csv.add(text: metric)
        csv.add(value(metric))
        csv.add(interval?.low)
        csv.add(interval?.high)
        try csv.endRow()
      }
    }
  }

  private var classTable: CSVTable {
    CSVTable(
      name: "classes",
      columns: [
        "label", "name", "group", "support", "predicted", "correct", "precision", "precision_low",
        "precision_high",
        "recall", "recall_low", "recall_high", "f1", "average_precision",
      ]
    ) { (csv) throws(FileError) in
      for item in classes {
        csv.add(item.label, named: item.name)
        csv.add(text: groupName(item.label))
        csv.add(item.support)
        csv.add(item.predicted)
        csv.add(item.correct)
        csv.add(item.precisionInterval)
        csv.add(item.recall)
        csv.add(item.f1)
        csv.add(item.averagePrecision)
        try csv.endRow()
      }
    }
  }

  private func groupName(_ label: Int) -> String {
    guard let groups, groups.assignment.indices.contains(label),
      groups.groups.indices.contains(groups.assignment[label])
    else { return "" }
    return groups.groups[groups.assignment[label]].name
  }

  private var confusionTable: CSVTable {
    CSVTable(
      name: "confusion", columns: ["truth", "truth_name", "predicted", "predicted_name", "count"]
    ) { (csv) throws(FileError) in
      for cell in confusion {
        csv.add(cell.truth, named: name(cell.truth))
        csv.add(cell.predicted, named: name(cell.predicted))
        csv.add(cell.count)
        try csv.endRow()
      }
    }
  }

  private var pairTable: CSVTable {
    CSVTable(
      name: "pairs",
      columns: ["a", "a_name", "b", "b_name", "count", "share", "cumulative", "a_as_b", "b_as_a"]
    ) { (csv) throws(FileError) in
      for pair in pairs {
        csv.add(pair.a, named: name(pair.a))
        csv.add(pair.b, named: name(pair.b))
        csv.add(pair.count)
        csv.add(pair.share)
        csv.add(pair.cumulative)
        csv.add(pair.aAsB)
        csv.add(pair.bAsA)
        try csv.endRow()
      }
    }
  }

  private var directedPairTable: CSVTable {
    CSVTable(
      name: "directed_pairs",
      columns: ["truth", "truth_name", "predicted", "predicted_name", "count", "share", "cumulative", "rate"]
    ) { (csv) throws(FileError) in
      for pair in directedPairs {
        csv.add(pair.truth, named: name(pair.truth))
        csv.add(pair.predicted, named: name(pair.predicted))
        csv.add(pair.count)
        csv.add(pair.share)
        csv.add(pair.cumulative)
        csv.add(pair.rate)
        try csv.endRow()
      }
    }
  }

  private var groupTable: CSVTable {
    CSVTable(
      name: "groups",
      columns: ["group", "classes", "support", "correct", "errors_inside", "errors_across"]
    ) { (csv) throws(FileError) in
      for group in groups?.groups ?? [] {
        csv.add(text: group.name)
        csv.add(group.classes.count)
        csv.add(group.support)
        csv.add(group.correct)
        csv.add(group.errorsInside)
        csv.add(group.errorsAcross)
        try csv.endRow()
      }
    }
  }
}

/// The tables of images, and of what is counted over them.
extension Score {
  var predictionTable: CSVTable {
    CSVTable(
      name: "predictions",
      columns: [
        "path", "truth", "truth_name", "predicted", "predicted_name", "correct", "rank", "confidence",
        "truth_probability",
      ]
    ) { (csv) throws(FileError) in
      for image in predictions {
        csv.add(text: image.path)
        csv.add(image.truth, named: name(image.truth))
        csv.add(image.predicted, named: name(image.predicted))
        csv.add(image.isCorrect)
        csv.add(image.rank)
        csv.add(image.confidence)
        csv.add(image.truthProbability)
        try csv.endRow()
      }
    }
  }

  var confidentErrorTable: CSVTable {
    CSVTable(
      name: "confident_errors",
      columns: [
        "path", "truth", "truth_name", "predicted", "predicted_name", "confidence", "truth_probability",
        "rank",
      ]
    ) { (csv) throws(FileError) in
      for image in confidentErrors ?? [] {
        csv.add(text: image.path)
        csv.add(image.truth, named: name(image.truth))
        csv.add(image.predicted, named: name(image.predicted))
        csv.add(image.confidence)
        csv.add(image.truthProbability)
        csv.add(image.rank)
        try csv.endRow()
      }
    }
  }

  var labelIssueTable: CSVTable {
    CSVTable(
      name: "label_issues",
      columns: [
        "path", "label", "label_name", "suggested", "suggested_name", "self_confidence", "confidence",
      ]
    ) { (csv) throws(FileError) in
      for image in labelIssues?.images ?? [] {
        csv.add(text: image.path)
        csv.add(image.label, named: name(image.label))
        csv.add(image.suggested, named: name(image.suggested))
        csv.add(image.selfConfidence)
        csv.add(image.confidence)
        try csv.endRow()
      }
    }
  }

  var inputTable: CSVTable {
    CSVTable(name: "inputs", columns: ["status", "path", "reason"]) { (csv) throws(FileError) in
      for trouble in inputTroubles {
        csv.add(text: trouble.status)
        csv.add(text: trouble.path)
        csv.add(text: trouble.reason)
        try csv.endRow()
      }
    }
  }

  var sliceTable: CSVTable {
    CSVTable(
      name: "slices",
      columns: [
        "attribute", "kind", "value", "low", "high", "images", "correct", "top1", "top1_low", "top1_high",
      ]
    ) { (csv) throws(FileError) in
      for slice in slices {
        csv.add(text: slice.attribute)
        csv.add(text: slice.kind.rawValue)
        csv.add(text: slice.value)
        csv.add(slice.low)
        csv.add(slice.high)
        csv.add(slice.count)
        csv.add(slice.correct)
        csv.add(slice.top1)
        try csv.endRow()
      }
    }
  }

  var calibrationTable: CSVTable {
    CSVTable(
      name: "calibration",
      columns: [
        "bins", "low", "high", "images", "correct", "confidence", "accuracy", "accuracy_low", "accuracy_high",
      ]
    ) { (csv) throws(FileError) in
      for (name, bins) in [
        ("equal_width", calibration?.equalWidth ?? []), ("equal_mass", calibration?.equalMass ?? []),
      ] {
        for bin in bins {
          csv.add(text: name)
          csv.add(bin.low)
          csv.add(bin.high)
          csv.add(bin.count)
          csv.add(bin.correct)
          csv.add(bin.confidence)
          csv.add(bin.accuracy)
          try csv.endRow()
        }
      }
    }
  }

  var coverageTable: CSVTable {
    CSVTable(
      name: "coverage",
      columns: ["coverage", "threshold", "images", "accuracy", "accuracy_low", "accuracy_high"]
    ) { (csv) throws(FileError) in
      for point in coverage ?? [] {
        csv.add(point.coverage)
        csv.add(point.threshold)
        csv.add(point.count)
        csv.add(point.accuracy)
        try csv.endRow()
      }
    }
  }
}

extension [GateResult] {
  var table: CSVTable {
    CSVTable(name: "gates", columns: ["gate", "value", "threshold", "passed"]) { (csv) throws(FileError) in
      for gate in self {
        csv.add(text: gate.gate)
        csv.add(gate.value)
        csv.add(gate.threshold)
        csv.add(gate.passed)
        try csv.endRow()
      }
    }
  }
}

extension Comparison {
  /// Writes the tables that this target's README lists into a folder, as `Score.writeCSV` does.
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
