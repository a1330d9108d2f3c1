import Encodings
import Scoring
import TestSupport
import Testing

@testable import Reporting

/// The text of a code span, as CommonMark 0.31 reads it, in a table of GitHub's; `nil` for anything else.
private func content(ofCode span: String) -> String? {
  let scalars = Array(span.unicodeScalars)
  let fence = scalars.prefix { $0 == "`" }.count
  guard fence > 0, scalars.count > 2 * fence, scalars.suffix(fence).allSatisfy({ $0 == "`" }) else {
    return nil
  }
  var inner = Array(scalars[fence..<scalars.count - fence])
  guard inner.last != "`", inner.first != "`" else { return nil }
  // No run of the fence's length inside.
  var run = 0
  for scalar in inner + [" "] {
    if scalar == "`" {
      run += 1
    } else {
      if run == fence { return nil }
      run = 0
    }
  }
  if inner.first == " ", inner.last == " ", inner.contains(where: { $0 != " " }) {
    inner = Array(inner.dropFirst().dropLast())
  }
  var text = String.UnicodeScalarView()
  for scalar in inner {
    if scalar == "|" {
      guard text.last == "\\" else { return nil }  // it would end the cell
      text.removeLast()
    }
    text.append(scalar)
  }
  return String(text)
}

/// The cells of a table's row, cut at bars that have no backslash before them.
private func cells(_ row: Substring) -> [String] {
  var cells = [""]
  var last: Unicode.Scalar = " "
  for scalar in row.unicodeScalars {
    if scalar == "|", last != "\\" {
      cells.append("")
    } else {
      cells[cells.count - 1].unicodeScalars.append(scalar)
    }
    last = scalar
  }
  return cells.dropFirst().dropLast().map { String($0.dropFirst().dropLast()) }
}

@Suite("Markdown summaries")
struct MarkdownTests {
  @Test("show names as code that reads back", arguments: hostileNames)
  func names(_ name: String) {
    let code = markdownCode(name, to: 10_000)
    let expected = name.isEmpty ? nil : printable(name).replacing("\\|", with: "\\\\u{7c}")
    #expect(content(ofCode: code).map { Array($0.utf8) } == expected.map { Array($0.utf8) }, "\(code)")
    #expect(!code.unicodeScalars.contains { $0.value < 0x20 || (0x202A...0x202E).contains($0.value) })
    #expect(markdownCode(name).unicodeScalars.count <= 80 * 2 + 30)
  }

  @Test("keep every table whole with hostile names, and let none out of its code")
  func hostile() throws {
    for text in [try hostileScore().markdown(), try hostileComparison().markdown()] {
      var columnCount: Int?
      var codeCount = 0
      for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        guard line.hasPrefix("|") else {
          columnCount = nil
          // Outside of tables no name stands; these are all the tags there are.
          let rest = [
            "<details><summary>", "</summary>", "</details>", "<!-- imrec score -->",
            "<!-- imrec compare -->",
          ]
          .reduce(String(line)) { $0.replacing($1, with: "") }
          #expect(!rest.contains("<") && !rest.contains("@") && !rest.contains("://"), "\(line)")
          continue
        }
        let cells = cells(line)
        #expect(cells.count == columnCount ?? cells.count, "\(line)")
        columnCount = cells.count
        for cell in cells where cell.contains("`") {
          // "`name` (12)" beside the name alone
          let code =
            cell.hasSuffix(")")
            ? String(cell[..<(cell.range(of: " (", options: .backwards)?.lowerBound ?? cell.endIndex)]) : cell
          #expect(content(ofCode: code) != nil || content(ofCode: cell) != nil, "\(cell)")
          codeCount += 1
        }
      }
      #expect(codeCount > 50)
    }
  }

  @Test(
    "stay below the limit whatever there is, and are cut at whole rows", arguments: [8_000, 20_000, 65_536])
  func limit(_ limit: Int) throws {
    let classes = (0..<300).map { "\($0)" + String(repeating: "|\u{202E}`", count: 1_400) }
    var tally = Tally(classes: classes)
    for label in classes.indices {
      try tally.add("\(classes[label]).jpg", truth: label, predicted: (label + 1) % classes.count)
      tally.addMissing("\(classes[label]) missing")
    }
    var score = tally.score(ScoreOptions(seed: 0, draws: 2))
    let gates = try classes.flatMap { try Gate.parse("class:\"\($0)\".recall=0.5", classes: [$0]) }
    score.gates = score.evaluate(gates)
    score.details = classes.map { Detail($0, $0) }
    let text = score.markdown(limit: limit)
    #expect(text.utf8.count <= limit && text.utf8.count > limit / 2)
    #expect(text.count { $0 == "\n" } > 10 && text.hasSuffix("\n"))
    let lines = text.split(separator: "\n")
    #expect(lines.count { $0.hasPrefix("<details>") } == lines.count { $0 == "</details>" })
    #expect(text.contains("**FAILED**: 300 of 300 gates"))
    #expect(text.contains("more*"))
  }

  @Test("say at once whether the gates passed, failed ones first")
  func gates() throws {
    var tally = Tally(classes: ["cat", "dog"])
    for (path, predicted) in [("1", 0), ("2", 0), ("3", 0), ("4", 1)] {
      try tally.add(path, truth: 0, predicted: predicted)
    }
    var score = tally.score(ScoreOptions(seed: 0, draws: 10))
    #expect(!score.markdown().contains("PASSED") && !score.markdown().contains("FAILED"))
    score.gates = score.evaluate(try Gate.parse("top1=0.7", classes: []))
    #expect(score.markdown().contains("\n✅ **PASSED**: the gate is met.\n"))
    score.gates = score.evaluate(try Gate.parse("top1=0.7,top1=0.75001,top5=0.1", classes: []))
    let text = score.markdown()
    #expect(
      text.contains(
        """
        ❌ **FAILED**: 2 of 3 gates are not met.

        |  | Gate | Value | Asked for |
        | :-- | :-- | --: | --: |
        | ❌ **FAILED** | `top1` | 0.75 | at least 0.75001 |
        | ❌ **FAILED** | `top5` | not computed | at least 0.1 |
        | ✅ passed | `top1` | 0.7500 | at least 0.7 |
        """), "\(text)")
    #expect(text.contains("## Accuracy 75.0 %\n"))
    #expect(text.contains("| Top-1 | 75.0 % | 30.1 to 95.4 % |"))
    #expect(text.contains("\n4 images: 4 scored, 0 invalid, 0 missing; 0 unexpected outputs.\n"))
    #expect(text.contains("| 1 | 100.0 % | `cat` | `dog` | 1 | 0 |"))
  }

  @Test("of no images say that there are none")
  func nothing() {
    let text = Tally(classes: []).score(ScoreOptions()).markdown()
    #expect(text.contains("nothing was scored") && text.contains("0 images: 0 scored"))
    #expect(!text.contains("###"))
  }

  @Test("of a comparison tell the difference with its interval, the test and the classes")
  func comparison() throws {
    let comparison = try hostileComparison()
    let text = comparison.markdown()
    let difference = try #require(comparison.top1Difference)
    #expect(text.contains("## Accuracy \(pointsText(difference.value)) points"))
    #expect(text.contains("❌ **FAILED**: 1 of 2 gates is not met."))
    #expect(text.contains("McNemar's exact test: p "))
    #expect(
      text.contains(
        "<details><summary>Broken: right in A, wrong in B: \(comparison.flipCount(.broken))</summary>"))
    #expect(text == (try hostileComparison().markdown()))
  }

  @Test(
    "round as people do",
    arguments: [
      (0.0, 1, "0.0"), (0.05, 1, "0.1"), (-0.25, 1, "-0.3"), (12.3456, 2, "12.35"), (99.95, 1, "100.0"),
      (0.4, 0, "0"), (1e300, 1, "1e+300"), (-0.04, 1, "0.0"),
    ])
  func decimals(_ value: Double, _ count: Int, _ expected: String) {
    #expect(decimalText(value, count) == expected)
  }

  @Test(
    "group digits",
    arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (30_607, "30,607"), (1_000_001, "1,000,001")])
  func digits(_ count: Int, _ expected: String) { #expect(groupedText(count) == expected) }
}
