public import Scoring

extension Score {
  /// Inputs listed at most in a failure.
  private static let listedCount = 100

  /// The gates as tests: one for each gate, and one that every input was scored.
  ///
  /// A failed test says value and threshold. Times are 0: the same score gives the same bytes.
  public func junit() -> String {
    var document = JUnitDocument(suite: "imrec score")
    document.properties = details.map { ($0.name, $0.value) }
    for metric in Gate.metrics {
      if let value = value(metric) { document.properties.append((metric, "\(value)")) }
    }
    document.add(inputTest, to: "imrec.score.inputs")
    for gate in gates { document.add(gate.test(isDrop: false), to: "imrec.score.gates") }
    return document.text
  }

  private var inputTest: JUnitDocument.Case {
    let troubles = inputTroubles
    var test = JUnitDocument.Case(name: "every input is scored")
    if troubles.isEmpty {
      test.output = inputSentence
      return test
    }
    var lines = troubles.prefix(Self.listedCount).map {
      "\($0.status): \(oneLine($0.path)): \(oneLine($0.reason))"
    }
    if troubles.count > lines.count { lines.append("\(groupedText(troubles.count - lines.count)) more") }
    test.failure = (inputSentence, lines.joined(separator: "\n"))
    return test
  }
}

extension Comparison {
  private static let listedCount = 100

  /// The gates as tests: one for each, and one that the runs agree about the truth.
  public func junit() -> String {
    var document = JUnitDocument(suite: "imrec compare")
    document.properties = details.map { ($0.name, $0.value) }
    document.properties.append(("images", "\(images)"))
    for (name, value) in [
      ("a.top1", a.top1?.value), ("b.top1", b.top1?.value), ("top1_difference", top1Difference?.value),
      ("macro_f1_difference", macroF1Difference?.value), ("mcnemar.exact_p", mcnemar.exactP),
    ] {
      if let value { document.properties.append((name, "\(value)")) }
    }
    document.add(truthTest, to: "imrec.compare.inputs")
    for gate in gates { document.add(gate.test(isDrop: true), to: "imrec.compare.gates") }
    return document.text
  }

  private var truthTest: JUnitDocument.Case {
    var test = JUnitDocument.Case(name: "both runs have the same truth")
    if truthConflicts.isEmpty {
      test.output =
        "\(counted(images, "image")) scored by both runs; \(groupedText(missingInA.count)) not by A, "
        + "\(groupedText(missingInB.count)) not by B"
      return test
    }
    var lines = truthConflicts.prefix(Self.listedCount).map { "different truths: \(oneLine($0))" }
    if truthConflicts.count > lines.count {
      lines.append("\(groupedText(truthConflicts.count - lines.count)) more")
    }
    test.failure = (
      "\(counted(truthConflicts.count, "image")) \(truthConflicts.count == 1 ? "has" : "have") different truths",
      lines.joined(separator: "\n")
    )
    return test
  }
}

/// A name from the data as a part of a line.
private func oneLine(_ text: String) -> String { shortened(visible(text), to: 400) }

extension GateResult {
  func test(isDrop: Bool) -> JUnitDocument.Case {
    let bound = bound(isDrop: isDrop)
    var test = JUnitDocument.Case(name: "\(shortened(gate, to: 160)): \(bound)")
    if passed {
      test.output = "\(oneLine(gate)) is \(valueText)"
    } else {
      let sentence =
        "\(oneLine(gate)) \(value == nil ? "could not be computed" : "is \(valueText)"), \(bound) is asked for"
      test.failure = (sentence, sentence)
    }
    return test
  }
}
