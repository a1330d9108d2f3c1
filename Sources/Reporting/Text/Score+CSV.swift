public import Files
public import Scoring

extension Score {
  /// Writes the tables of this target's README into a folder, which is made where there is none.
  ///
  /// All tables are written in full before the first gets its name. A table of what was not computed has no rows but
  /// the names of its columns.
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
