import Files
import Foundation
import Glibc
import Scoring
import TestSupport
import Testing

@testable import Reporting

private let tableNames = [
  "calibration", "classes", "confident_errors", "confusion", "coverage", "directed_pairs", "gates", "groups",
  "inputs", "label_issues", "pairs", "predictions", "slices", "summary",
]

private func table(_ folder: String, _ name: String) throws -> [[String]] {
  try CSVParser.rows(try #require(readScratchBytes("\(folder)/\(name).csv")))
}

/// The text that a cell stands for: without the apostrophe that keeps spreadsheets from calculating it.
private func text(_ cell: String) -> String {
  cell.utf8.first == UInt8(ascii: "'") ? String(cell.utf8.dropFirst())! : cell
}

private func pictured(_ name: String) -> String {
  String(
    String.UnicodeScalarView(
      name.unicodeScalars.map { scalar in
        switch scalar.value {
        case 0x09, 0x0A, 0x0D: scalar
        case 0..<0x20: Unicode.Scalar(0x2400 + scalar.value) ?? scalar
        default: scalar
        }
      }))
}

private func bytes(_ texts: [String]) -> [[UInt8]] { texts.map { Array($0.utf8) } }

@Suite("CSV tables")
struct CSVTests {
  @Test(
    "neutralise what a spreadsheet might calculate, quote what needs it, and leave the rest as it is",
    arguments: [
      ("plain", "plain"), ("", ""), ("a b", "a b"), ("é", "é"), ("a=b", "a=b"), ("1-1", "1-1"),
      ("001", "001"),
      ("=cmd()", "'=cmd()"), ("-1+1", "'-1+1"), ("+1", "'+1"), ("@a", "'@a"), ("－1", "'－1"), ("＝1", "'＝1"),
      ("＋1", "'＋1"), ("＠1", "'＠1"), ("\t1", "\"'\t1\""), ("\r1", "\"'\r1\""), ("\n1", "\"'\n1\""),
      (" =1", "\"' =1\""), ("\u{FEFF}=1", "'\u{FEFF}=1"), ("\u{202E}=1", "'\u{202E}=1"),
      ("\u{A0}=1", "'\u{A0}=1"),
      ("'=1", "''=1"), ("'a", "''a"), ("a'b", "a'b"), ("a,b", "\"a,b\""), ("a;b", "\"a;b\""),
      ("a\"b", "\"a\"\"b\""),
      ("a\r\nb", "\"a\r\nb\""), (" a ", "\" a \""), ("=a,\"b\"", "\"'=a,\"\"b\"\"\""), ("a\u{0}b", "a␀b"),
      ("\u{1B}[0m", "␛[0m"), ("\u{0}=1", "'␀=1"), ("\u{7F}", "␡"), ("a,\u{0}", "\"a,␀\""),
    ])
  func cells(_ text: String, _ expected: String) {
    var line: [UInt8] = []
    append(csvText: text, to: &line)
    #expect(Array(line) == Array(expected.utf8), "\(String(decoding: line, as: UTF8.self))")
  }

  @Test("hold every hostile name so that it reads back, and no cell that a spreadsheet would calculate")
  func hostile() throws {
    let score = try hostileScore()
    try withScratchFolder { (folder) throws in
      try score.writeCSV(to: folder)
      #expect(scratchNames(folder) == tableNames.map { $0 + ".csv" })
      let classes = try table(folder, "classes").dropFirst()
      #expect(bytes(classes.map { text($0[1]) }) == bytes(hostileNames.map(pictured)))
      let predictions = try table(folder, "predictions").dropFirst()
      #expect(bytes(predictions.map { text($0[0]) }) == bytes(score.predictions.map { pictured($0.path) }))
      let inputs = try table(folder, "inputs").dropFirst()
      #expect(inputs.count == 3 * hostileNames.count)
      #expect(try table(folder, "slices").count > 40)
      for name in tableNames {
        for cell in try table(folder, name).joined() where Double(cell) == nil {
          #expect(cell.utf8.first.map { !Array("=+-@\t\r\n".utf8).contains($0) } ?? true, "\(name): \(cell)")
        }
      }
    }
  }

  @Test("agree with Python's csv, cell by cell", .enabled(if: Program.isInstalled("python3")))
  func python() throws {
    let python = try #require(Program(installed: "python3"))
    try withScratchFolder { (folder) throws in
      try hostileScore().writeCSV(to: folder + "/score")
      try hostileComparison().writeCSV(to: folder + "/comparison")
      writeScratchFile(
        folder + "/read.py",
        """
        import csv, json, pathlib
        read = lambda file: list(csv.reader(open(file, newline="", encoding="utf-8"), strict=True))
        print(json.dumps({str(file): read(file) for file in pathlib.Path(".").rglob("*.csv")}))
        """.utf8)
      let run = python.run(["-B", "read.py"], in: folder)
      #expect(run.status == 0, "\(run)")
      let tables = try JSONDecoder().decode([String: [[String]]].self, from: Data(run.output.utf8))
      #expect(tables.count == tableNames.count + 6)
      for (name, rows) in tables {
        let own = try CSVParser.rows(try #require(readScratchBytes("\(folder)/\(name)")))
        #expect(rows.map { bytes($0) } == own.map { bytes($0) }, "\(name)")
      }
    }
  }

  @Test("leave numbers numbers, negative ones too, and what was not computed empty")
  func numbers() throws {
    var tally = Tally(classes: ["a", "b"])
    try tally.add("1", truth: 0, predicted: 1)
    try tally.add("2", truth: 1, predicted: 0)
    let score = tally.score(ScoreOptions(seed: 0, draws: 10))
    try withScratchFolder { (folder) throws in
      try score.writeCSV(to: folder)
      let summary = Dictionary(
        uniqueKeysWithValues: try table(folder, "summary").map { ($0[0], Array($0[1...])) })
      #expect(summary["metric"] == ["value", "low", "high"])
      #expect(summary["images"] == ["2", "", ""])
      #expect(summary["kappa"] == ["-1.0", "", ""] && summary["log_loss"] == ["", "", ""])
      #expect(summary["top1"] == ["0.0", "0.0", "\(score.top1?.high ?? 0)"])
      #expect(
        try table(folder, "predictions").last == ["2", "1", "b", "0", "a", "false", "", "", ""])
      #expect(
        try table(folder, "confusion") == [
          ["truth", "truth_name", "predicted", "predicted_name", "count"], ["0", "a", "1", "b", "1"],
          ["1", "b", "0", "a", "1"],
        ])
      #expect(try table(folder, "pairs").last == ["0", "a", "1", "b", "2", "1.0", "1.0", "1", "1"])
      #expect(try table(folder, "coverage").count == 1)
    }
  }

  @Test("are all there for a score of nothing, and the same bytes for the same score")
  func nothing() throws {
    try withScratchFolder { (folder) throws in
      try Tally(classes: []).score(ScoreOptions()).writeCSV(to: folder + "/deep/nothing")
      #expect(scratchNames(folder + "/deep/nothing") == tableNames.map { $0 + ".csv" })
      let score = try hostileScore()
      try score.writeCSV(to: folder + "/1")
      try score.writeCSV(to: folder + "/2")
      for name in tableNames {
        #expect(readScratchBytes("\(folder)/1/\(name).csv") == readScratchBytes("\(folder)/2/\(name).csv"))
      }
    }
  }

  @Test(
    "appear together: where one cannot be written, none is", arguments: ["predictions", "pairs", "summary"])
  func together(_ name: String) throws {
    try withScratchFolder { (folder) throws in
      writeScratchFile("\(folder)/\(name).csv/file", "".utf8)
      let error = #expect(throws: FileError.self) { try hostileScore().writeCSV(to: folder) }
      #expect(error?.reason == .notRegular("a folder") && error?.path == "\(folder)/\(name).csv")
      #expect(scratchNames(folder) == ["\(name).csv"])
    }
  }
}

/// A strict reader of RFC 4180: lines end with CRLF, quotes occur in quoted cells only, and all rows have as many cells as
/// the first.
struct CSVParser {
  enum Fault: Error { case bareQuote, bareLineEnd, openQuote, textBehindQuote, unevenRows }

  static func rows(_ bytes: [UInt8]) throws(Fault) -> [[String]] {
    var rows: [[String]] = []
    var row: [String] = []
    var cell: [UInt8] = []
    var index = 0
    func byte(_ place: Int) -> UInt8? { place < bytes.count ? bytes[place] : nil }
    while index < bytes.count {
      cell = []
      if bytes[index] == UInt8(ascii: "\"") {
        index += 1
        while true {
          guard let next = byte(index) else { throw .openQuote }
          index += 1
          if next != UInt8(ascii: "\"") {
            cell.append(next)
          } else if byte(index) == UInt8(ascii: "\"") {
            cell.append(next)
            index += 1
          } else {
            break
          }
        }
      } else {
        while let next = byte(index), next != UInt8(ascii: ","), next != UInt8(ascii: "\r") {
          if next == UInt8(ascii: "\"") { throw .bareQuote }
          if next == UInt8(ascii: "\n") { throw .bareLineEnd }
          cell.append(next)
          index += 1
        }
      }
      row.append(String(decoding: cell, as: UTF8.self))
      switch byte(index) {
      case UInt8(ascii: ","):
        index += 1
        if index == bytes.count { throw .bareLineEnd }
      case UInt8(ascii: "\r"):
        guard byte(index + 1) == UInt8(ascii: "\n") else { throw .bareLineEnd }
        index += 2
        rows.append(row)
        row = []
      default: throw .textBehindQuote
      }
    }
    guard row.isEmpty, rows.allSatisfy({ $0.count == rows[0].count }) else { throw .unevenRows }
    return rows
  }
}
