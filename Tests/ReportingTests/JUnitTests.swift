import Encodings
import Foundation
import FoundationXML
import Scoring
import TestSupport
import Testing

@testable import Reporting

/// What a parser sees in a document: every element with its attributes, and the text in it.
private final class Listener: NSObject, XMLParserDelegate {
  struct Element {
    var name: String
    var path: [String]
    var attributes: [String: String]
    var text = ""
  }
  var elements: [Element] = []
  private var open: [Int] = []

  static func read(_ text: String) -> [Element]? {
    let listener = Listener()
    let parser = XMLParser(data: Data(text.utf8))
    parser.delegate = listener
    return parser.parse() ? listener.elements : nil
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String] = [:]
  ) {
    elements.append(Element(name: name, path: open.map { elements[$0].name }, attributes: attributes))
    open.append(elements.count - 1)
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) {
    if let last = open.last { elements[last].text += string }
  }

  func parser(_: XMLParser, didEndElement: String, namespaceURI: String?, qualifiedName: String?) {
    open.removeLast()
  }
}

@Suite("JUnit documents")
struct JUnitTests {
  @Test("have a test for each gate and one for the inputs, with value and threshold where they fail")
  func whole() throws {
    var tally = Tally(classes: ["cat", "dog"])
    for (path, predicted) in [("1", 0), ("2", 0), ("3", 0), ("4", 1)] {
      try tally.add(path, truth: 0, predicted: predicted)
    }
    tally.addMissing("5")
    tally.addInvalid("6", reason: "it is empty")
    tally.addUnexpected("7")
    var score = tally.score(ScoreOptions(seed: 0, draws: 10))
    score.gates = score.evaluate(
      try Gate.parse("top1=0.7,class:cat.recall=0.8,log_loss=1,top1=0.7", classes: ["cat", "dog"]))
    let lines = score.junit().split(separator: "\n").filter {
      !$0.contains("<propert") && !$0.contains("</propert")
    }
    #expect(
      lines.joined(separator: "\n") == """
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="imrec score" tests="5" failures="3" errors="0" time="0">
          <testsuite name="imrec score" tests="5" failures="3" errors="0" skipped="0" time="0">
            <testcase classname="imrec.score.inputs" name="every input is scored" time="0">
              <failure message="6 images: 4 scored, 1 invalid, 1 missing; 1 unexpected output" type="failure">invalid: 6: it is empty
        missing: 5: it has no output
        unexpected: 7: it belongs to no image</failure>
            </testcase>
            <testcase classname="imrec.score.gates" name="top1: at least 0.7" time="0">
              <system-out>top1 is 0.75</system-out>
            </testcase>
            <testcase classname="imrec.score.gates" name="class:cat.recall: at least 0.8" time="0">
              <failure message="class:cat.recall is 0.75, at least 0.8 is asked for" type="failure">class:cat.recall is 0.75, at least 0.8 is asked for</failure>
            </testcase>
            <testcase classname="imrec.score.gates" name="log_loss: at most 1.0" time="0">
              <failure message="log_loss could not be computed, at most 1.0 is asked for" type="failure">log_loss could not be computed, at most 1.0 is asked for</failure>
            </testcase>
            <testcase classname="imrec.score.gates" name="top1: at least 0.7 (2)" time="0">
              <system-out>top1 is 0.75</system-out>
            </testcase>
          </testsuite>
        </testsuites>
        """)
  }

  @Test("are well-formed with every hostile name, which stands there visibly, and keep the schema's nesting")
  func hostile() throws {
    for text in [try hostileScore().junit(), try hostileComparison().junit()] {
      let elements = try #require(Listener.read(text))
      #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 || $0 == "\n" })
      #expect(
        !text.unicodeScalars.contains { $0.value & 0xFFFE == 0xFFFE || (0x202A...0x202E).contains($0.value) })
      let parents = [
        "testsuites": "", "testsuite": "testsuites", "properties": "testsuite", "property": "properties",
        "testcase": "testsuite", "failure": "testcase", "system-out": "testcase",
      ]
      for element in elements { #expect(parents[element.name] == element.path.last ?? "", "\(element)") }
      let cases = elements.filter { $0.name == "testcase" }
      let suite = try #require(elements.first { $0.name == "testsuite" })
      #expect(suite.attributes["tests"] == "\(cases.count)")
      #expect(suite.attributes["failures"] == "\(elements.count { $0.name == "failure" })")
      #expect(
        Set(cases.map { ($0.attributes["classname"] ?? "") + " " + ($0.attributes["name"] ?? "") }).count
          == cases.count)
      for test in cases { #expect((test.attributes["name"] ?? "").unicodeScalars.count <= 210) }
      let values = Set(elements.filter { $0.name == "property" }.compactMap { $0.attributes["value"] })
      for name in hostileNames { #expect(values.contains(shortened(printable(name), to: 1000)), "\(name)") }
    }
  }

  @Test(
    "agree with Python's parser, and come in the same bytes again",
    .enabled(if: Program.isInstalled("python3")))
  func python() throws {
    let python = try #require(Program(installed: "python3"))
    try withScratchFolder { (folder) throws in
      let text = try hostileScore().junit()
      #expect(text == (try hostileScore().junit()))
      writeScratchFile(folder + "/junit.xml", text.utf8)
      let script = """
        import json, xml.etree.ElementTree as tree
        print(json.dumps([[e.tag, e.attrib, (e.text or "").strip()] for e in tree.parse("junit.xml").getroot().iter()]))
        """
      let run = python.run(["-B", "-c", script], in: folder)
      #expect(run.status == 0, "\(run)")
      let seen = try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [[Any]])
      let own = try #require(Listener.read(text))
      #expect(seen.compactMap { $0[0] as? String } == own.map(\.name))
      #expect(seen.compactMap { $0[1] as? [String: String] } == own.map(\.attributes))
      #expect(
        seen.compactMap { $0[2] as? String }
          == own.map { $0.text.trimmingCharacters(in: .whitespacesAndNewlines) })
    }
  }

  @Test("of a comparison tell drops, and truths that differ")
  func comparison() throws {
    let comparison = try hostileComparison()
    let elements = try #require(Listener.read(comparison.junit()))
    let failures = elements.filter { $0.name == "failure" }
    #expect(failures.count == 1)
    #expect(
      failures.first?.text == "top1 is \(comparison.gates[0].valueText), a drop of at most 0.01 is asked for")
    var other = comparison
    other.truthConflicts = ["a<b", "two\nlines"]
    let failed = try #require(Listener.read(other.junit())?.first { $0.name == "failure" })
    #expect(failed.attributes["message"] == "2 images have different truths")
    #expect(failed.text == "different truths: a<b\ndifferent truths: two\\nlines")
  }
}
