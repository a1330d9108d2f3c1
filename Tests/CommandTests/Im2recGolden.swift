import Files
import TestSupport
import Testing

/// `Goldens/im2rec-lists.txt`: what the real im2rec.py makes of one tree (`tools/oracle/goldens/im2rec.py`).
struct Im2recGolden: Sendable {
  struct Case: Sendable, CustomTestStringConvertible {
    var arguments: [String]
    var standardOutput = ""
    /// Text of each list by its file name.
    var lists: [String: String] = [:]
    var testDescription: String { arguments.isEmpty ? "no option" : arguments.joined(separator: " ") }
  }
  var tree: [String] = []
  var cases: [Case] = []

  static let all = Im2recGolden()

  private init() {
    var text = ""
    do {
      let folder = folderName(#filePath) + "/Goldens/"
      text = String(decoding: try readFile(folder + "im2rec-lists.txt").bytes, as: UTF8.self)
    } catch {
      preconditionFailure("\(error)")
    }
    var file: String?
    for line in text.split(separator: "\n") {
      if line.hasPrefix("case ") {
        cases.append(Case(arguments: line.dropFirst(5).split(separator: " ").map(String.init)))
        file = nil
      } else if line.hasPrefix("file ") {
        let name = String(line.dropFirst(5))
        file = name
        if name != "stdout" { cases[cases.count - 1].lists[name] = "" }
      } else if line.hasPrefix("|") {
        let content = String(line.dropFirst())
        switch file {
        case nil: tree.append(content)
        case "stdout": cases[cases.count - 1].standardOutput += content + "\n"
        case let name?: cases[cases.count - 1].lists[name]? += content + "\n"
        }
      }
    }
  }

  func makeTree(in folder: String) throws {
    for path in tree {
      if path.hasSuffix("/") {
        try makeFolder(folder + "/" + path.dropLast())
      } else {
        writeScratchFile(folder + "/" + path, [])
      }
    }
  }
}
