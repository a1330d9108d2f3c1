import Files
import Scoring

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
