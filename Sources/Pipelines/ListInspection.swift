import Files
import Records

/// A first look at a whole list, before any image is opened: how many entries, which checksum, and what is odd.
struct ListInspection {
  private(set) var entryCount = 0
  private(set) var checksum: UInt64 = 0
  private var badCount = 0
  private var firstBad: (line: Int, reason: String)?
  private var absoluteCount = 0
  private var climbingCount = 0
  private var droppedLabelCount = 0
  private var ids = IDSet()
  private var repeatedIDCount = 0
  private var labels: Set<Int> = []
  private var hasOtherLabels = false
  /// More classes than this are no classes but values; gaps between them mean nothing.
  private static let maximumClassCount = 100_000

  init(_ path: String, part: ListPart?) throws(FileError) {
    var reader = try ListReader(path, part: part)
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
    if entry.path.utf8.first == UInt8(ascii: "/") { absoluteCount += 1 }
    if entry.path.utf8.starts(with: "../".utf8) || entry.path.contains("/../") { climbingCount += 1 }
    if entry.labels.count > 1 { droppedLabelCount += 1 }
    if !ids.insert(entry.id) { repeatedIDCount += 1 }
    guard !hasOtherLabels, let label = entry.labels.first else { return }
    if let whole = Int(exactly: label), whole >= 0, labels.count < Self.maximumClassCount {
      labels.insert(whole)
    } else {
      hasOtherLabels = true
    }
  }

  /// ": line 3: ..." where a line could not be used.
  var firstProblem: String { firstBad.map { "; line \($0.line): \($0.reason)" } ?? "; it is empty" }

  /// Sentences about things that are allowed but often not meant.
  func warnings(root: String, options: PackOptions) -> [String] {
    var sentences: [String] = []
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
      absoluteCount, "path of the list is absolute and does not lie below \(root)",
      "paths of the list are absolute and do not lie below \(root)")
    say(climbingCount, "path of the list contains '..'", "paths of the list contain '..'")
    if !options.packLabel {
      let loss = "of which only the first is stored (--pack-label stores all)"
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
    sum = Pipelines.checksum(buffer.span.extracting(0..<got), from: sum)
    offset += got
  }
}
