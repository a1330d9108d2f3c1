import Files
import Records

/// A first pass over a whole list, before any image is opened: counts the entries, computes the checksum of the file,
/// and collects what deserves a warning.
struct ListInspection {
  private(set) var entryCount = 0
  private(set) var checksum: UInt64 = 0
  private var badCount = 0
  private var firstBad: (line: Int, reason: String)?
  /// Absolute paths outside the root.
  private var outsideCount = 0
  private var root: RootNames
  private var backslashCount = 0
  private let columns: ListColumns
  private var climbingCount = 0
  private var droppedLabelCount = 0
  private var ids = IDSet()
  private var repeatedIDCount = 0
  private var labels: Set<Int> = []
  private var hasOtherLabels = false
  /// With more distinct labels than this, labels are values rather than classes, and gaps between them are normal.
  private static let maximumClassCount = 100_000

  init(_ path: String, part: ListShard?, root: String) throws(FileError) {
    self.root = RootNames(root)
    var reader = try ListReader(path, shard: part)
    columns = reader.columns
    while let line = try reader.next() {
      switch line {
      case .entry(let entry, _): add(entry)
      case .bad(let reason, let line, _):
        badCount += 1
        if firstBad == nil { firstBad = (line, reason) }
      }
    }
    checksum = try fileChecksum(path)
  }

  private mutating func add(_ entry: ListEntry) {
    entryCount += 1
    if entry.path.utf8.first == UInt8(ascii: "/") && !root.isAbove(entry.path) { outsideCount += 1 }
    if entry.path.utf8.contains(UInt8(ascii: "\\")) { backslashCount += 1 }
    // The cheap test comes first: most paths of a long list contain no "..".
    if entry.path.utf8.contains(UInt8(ascii: ".")) && climbs(entry.path) { climbingCount += 1 }
    if entry.labels.count > 1 { droppedLabelCount += 1 }
    if !ids.insert(entry.id) { repeatedIDCount += 1 }
    guard !hasOtherLabels, let label = entry.labels.first else { return }
    if let whole = Int(exactly: label), whole >= 0, labels.count < Self.maximumClassCount {
      labels.insert(whole)
    } else {
      hasOtherLabels = true
    }
  }

  private func climbs(_ path: String) -> Bool {
    path.utf8.split(separator: UInt8(ascii: "/")).dropLast().contains { $0.elementsEqual("..".utf8) }
  }

  /// The first unusable line, to follow an error about a list without usable lines: "; line 3: ...".
  var firstProblem: String { firstBad.map { "; line \($0.line): \($0.reason)" } ?? "; it is empty" }

  /// Sentences about properties of the list that are allowed but often unintended.
  func warnings(options: PackOptions) -> [String] {
    var sentences: [String] = []
    switch columns {
    case .idLabelsPath: break
    case .idPathLabel:
      sentences.append("the list has the path before the label; it is read as index, path, label")
    case .flagPathLabel:
      sentences.append(
        "the list has InsightFace's columns and is read as flag, path, label; the ids are line numbers, from 0"
      )
    }
    func say(_ count: Int, _ one: String, _ many: String) {
      if count > 0 { sentences.append(count == 1 ? "1 \(one)" : "\(count) \(many)") }
    }
    if options.duplicateIDs == .keep {
      let loss = "readers that use the .idx find only one record for each id"
      say(
        repeatedIDCount, "line repeats the id of an earlier line; \(loss)",
        "lines repeat the id of an earlier line; \(loss)")
    }
    say(
      outsideCount, "path of the list is absolute and outside \(root.path)",
      "paths of the list are absolute and outside \(root.path)")
    let slashes = "if no such file exists, each is read as a slash"
    say(
      backslashCount, "path of the list contains backslashes; \(slashes)",
      "paths of the list contain backslashes; \(slashes)")
    say(climbingCount, "path of the list contains '..'", "paths of the list contain '..'")
    if !options.packLabel {
      let loss = PackSummary.droppedLabelWords
      say(droppedLabelCount, "line has several labels, \(loss)", "lines have several labels, \(loss)")
    }
    if options.part == nil, !hasOtherLabels, let last = labels.max(), labels.count <= last {
      let missing = (0...last).lazy.filter { !labels.contains($0) }.prefix(10).map { "\($0)" }
      sentences.append(
        "labels go up to \(last), but \(last + 1 - labels.count) smaller \(last == labels.count ? "label does" : "labels do") not occur: "
          + missing.joined(separator: ", ") + (last + 1 - labels.count > 10 ? ", ..." : ""))
    }
    return sentences
  }
}

/// Tells whether absolute paths are inside a folder, with symbolic links resolved.
private struct RootNames {
  let path: String
  private let names: [String]
  private let real: String?
  /// Cached answers by folder, for paths that do not begin with one of `names`.
  private var answers: [ByteName: Bool] = [:]
  private static let answerLimit = 10_000

  init(_ path: String) {
    self.path = path
    real = realPath(path).map { $0 == "/" ? $0 : $0 + "/" }
    let isAbsolute = path.utf8.first == UInt8(ascii: "/")
    let given = isAbsolute ? [path.utf8.last == UInt8(ascii: "/") ? path : path + "/"] : []
    names = given + (real.map { [$0] } ?? [])
  }

  mutating func isAbove(_ file: String) -> Bool {
    // A path with ".." can leave the root again, so it has to be resolved.
    if names.contains(where: { file.hasBytePrefix($0) }) && !file.utf8.contains("/../".utf8) { return true }
    let folder = ByteName(folderName(file))
    if let known = answers[folder] { return known }
    let isBelow = realPath(folder.text).map { found in
      real.map { (found + "/").hasBytePrefix($0) } ?? false
    }
    if answers.count < Self.answerLimit { answers[folder] = isBelow ?? false }
    return isBelow ?? false
  }
}

private func fileChecksum(_ path: String) throws(FileError) -> UInt64 {
  let file = try InputFile(path)
  var sum: UInt64 = 0
  var offset = 0
  var buffer = [UInt8](repeating: 0, count: 1 << 20)
  while true {
    var bytes = buffer.mutableSpan
    var raw = unsafe bytes.mutableBytes
    let got = try file.read(at: offset, into: &raw)
    if got == 0 { return sum }
    sum = Packing.checksum(buffer.span.extracting(0..<got), from: sum)
    offset += got
  }
}
