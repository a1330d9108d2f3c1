import Files
import Records

/// A first look at a whole list, before any image is opened: how many entries, which checksum, and what is odd.
struct ListInspection {
  private(set) var entryCount = 0
  private(set) var checksum: UInt64 = 0
  private var badCount = 0
  private var firstBad: (line: Int, reason: String)?
  /// Absolute paths that lie elsewhere than below the root.
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
  /// More classes than this are no classes but values; gaps between them mean nothing.
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
    // Looked for only where there can be some: a million paths have none.
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

  /// ": line 3: ..." where a line could not be used.
  var firstProblem: String { firstBad.map { "; line \($0.line): \($0.reason)" } ?? "; it is empty" }

  /// Sentences about things that are allowed but often not meant.
  func warnings(options: PackOptions) -> [String] {
    var sentences: [String] = []
    switch columns {
    case .idLabelsPath: break
    case .idPathLabel:
      sentences.append("the list has the path before the label, and is read so: index, path, label")
    case .flagPathLabel:
      sentences.append(
        "the list is InsightFace's (flag, path, label), and is read so; the ids are the numbers of the lines, from 0"
      )
    }
    func say(_ count: Int, _ one: String, _ many: String) {
      if count > 0 { sentences.append(count == 1 ? "1 \(one)" : "\(count) \(many)") }
    }
    if options.duplicateIDs == .keep {
      let loss = "a reader that goes by the .idx finds one record of an id"
      say(
        repeatedIDCount, "line has the id of an earlier line; \(loss)",
        "lines have the id of an earlier line; \(loss)")
    }
    say(
      outsideCount, "path of the list is absolute and does not lie below \(root.path)",
      "paths of the list are absolute and do not lie below \(root.path)")
    let slashes = "where there is no such file, a slash is read for each"
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
        "labels go up to \(last), but \(last + 1 - labels.count) below it \(last == labels.count ? "does" : "do") not occur: "
          + missing.joined(separator: ", ") + (last + 1 - labels.count > 10 ? ", ..." : ""))
    }
    return sentences
  }
}

/// Tells which absolute paths lie below a folder, by whatever names it and the folders on the way have.
private struct RootNames {
  let path: String
  private let names: [String]
  private let real: String?
  /// By the folder of a path that begins with none of the names.
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
    // A path that leads upwards again is followed.
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
