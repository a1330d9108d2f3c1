import Encodings
public import Scoring

extension Score {
  /// How many inputs a failure lists at most.
  private static let listedCount = 100

  /// The gates as tests: one for each gate, and one that every input was scored.
  ///
  /// A failed test states value and threshold. Times are 0, so the same score gives the same bytes.
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

  /// The gates as tests: one for each gate, and one that both runs have the same truth.
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
private func oneLine(_ text: String) -> String { shortened(printable(text), to: 400) }

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

/// A JUnit document with one suite, as Jenkins, GitLab and the common GitHub actions read it.
///
/// Attributes and nesting follow junit-10.xsd of Jenkins' xunit plugin. Every text is passed through `printable`, which
/// leaves neither characters that XML forbids nor line ends that a parser would turn into spaces.
struct JUnitDocument {
  struct Case {
    var name: String
    /// Why the case failed: one line, and the whole text.
    var failure: (message: String, body: String)?
    var output: String?
  }
  let suite: String
  var properties: [(name: String, value: String)] = []
  private(set) var cases: [(className: String, test: Case)] = []
  private var names: [String: Int] = [:]

  init(suite: String) { self.suite = suite }

  /// Adds a case. Servers take cases with the same name for one test, so a repeated name gets a number.
  mutating func add(_ test: Case, to className: String) {
    var test = test
    test.name = shortened(printable(test.name), to: 200)
    let key = className + "\n" + test.name
    let count = names[key, default: 0] + 1
    names[key] = count
    if count > 1 { test.name += " (\(count))" }
    cases.append((className, test))
  }

  var text: String {
    let failures = cases.count { $0.test.failure != nil }
    let counts = "tests=\"\(cases.count)\" failures=\"\(failures)\" errors=\"0\""
    var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    text += "<testsuites name=\(quoted(suite)) \(counts) time=\"0\">\n"
    text += "  <testsuite name=\(quoted(suite)) \(counts) skipped=\"0\" time=\"0\">\n"
    if !properties.isEmpty {
      text += "    <properties>\n"
      for (name, value) in properties {
        text += "      <property name=\(quoted(name)) value=\(quoted(value))/>\n"
      }
      text += "    </properties>\n"
    }
    for (className, test) in cases { add(test, className, to: &text) }
    text += "  </testsuite>\n</testsuites>\n"
    return text
  }

  private func add(_ test: Case, _ className: String, to text: inout String) {
    text += "    <testcase classname=\(quoted(className)) name=\(quoted(test.name)) time=\"0\""
    if test.failure == nil && test.output == nil {
      text += "/>\n"
      return
    }
    text += ">\n"
    if let failure = test.failure {
      text +=
        "      <failure message=\(quoted(failure.message)) type=\"failure\">\(lines(failure.body))</failure>\n"
    }
    if let output = test.output { text += "      <system-out>\(lines(output))</system-out>\n" }
    text += "    </testcase>\n"
  }

  private func quoted(_ value: String) -> String {
    "\"\(escapedMarkup(shortened(printable(value), to: 1000)))\""
  }

  /// Text of several lines.
  private func lines(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { escapedMarkup(printable(String($0))) }
      .joined(separator: "\n")
  }
}
