import Encodings
import Files
import Records

extension Truth {
  /// Reads JSON lines, or one array, of objects with a path and a label. SageMaker's augmented manifest is one of
  /// these; its label is under the key that has a `-metadata` key beside it.
  /// - Throws: `.file`; `.brokenArray`; `.repeatedClass`.
  init(lines path: String, classes: ClassList?, columns wanted: TruthColumns) throws(TruthError) {
    self.init(.lines, classes: classes)
    var names = NamedLabels(classes)
    var blocks = try readingTruthLines(path) { () throws(LineError) in try LineBlocks(path) }
    let place = "\(baseName(path)) \(blocks.unit)"
    while let block = try readingTruthLines(path, { () throws(LineError) in try blocks.next() }) {
      block.forEachLine { line, bytes in add(line: bytes, "\(place) \(line)", wanted, &names) }
    }
    try resolve(names)
  }

  private mutating func add(
    line: Span<UInt8>, _ place: String, _ wanted: TruthColumns, _ names: inout NamedLabels
  ) {
    var parser = TruthLineParser(wanted)
    do throws(JSONError) {
      try parser.parse(line)
    } catch {
      if let path = parser.path { return reject(path, error.description) }
      rejections.append(InputProblem(path: place, reason: error.description))
      return
    }
    guard let path = parser.path else {
      let keys = wanted.image.map { "\"\($0)\"" } ?? shortList(Self.pathColumns)
      let reason = "it names no image; one of the keys \(keys) is expected"
      rejections.append(InputProblem(path: place, reason: reason))
      return
    }
    guard let label = parser.label else {
      let keys = wanted.label.map { "\"\($0)\"" } ?? shortList(Self.labelColumns)
      let candidates = shortList(parser.candidates.map { "\"\(nameText($0.prefix(80)))\"" })
      reject(
        path,
        parser.isAmbiguous
          ? "its label could be under any of \(candidates)"
          : "it has no label; one of the keys \(keys) is expected"
            + (candidates.isEmpty ? "" : ", but it has \(candidates)"))
      return
    }
    guard paths.append(path) else { return reject(path, Self.tooLarge) }
    labels.append(names.add(label))
  }
}

/// Parses a path and a label from one JSON object.
private struct TruthLineParser {
  var path: [UInt8]?
  var label: [UInt8]?
  /// The keys that could hold the label, where none certainly does.
  private(set) var candidates: [[UInt8]] = []
  /// Whether several keys have a `-metadata` key beside them.
  private(set) var isAmbiguous = false
  private let wanted: TruthColumns
  private var pathRank = Int.max
  private var labelRank = Int.max
  /// The members whose values are scalars and whose keys do not name an image.
  private var others: [(key: [UInt8], value: [UInt8])] = []
  private var keys: Set<[UInt8]> = []
  /// The keys that end in `-metadata`.
  private var metadata: Set<[UInt8]> = []

  init(_ wanted: TruthColumns) { self.wanted = wanted }

  mutating func parse(_ bytes: Span<UInt8>) throws(JSONError) {
    var scanner = JSONScanner()
    scanner.skipBlanks(bytes)
    guard scanner.skip(UInt8(ascii: "{"), bytes) else { throw scanner.fault("an object", bytes) }
    scanner.skipBlanks(bytes)
    if !scanner.skip(UInt8(ascii: "}"), bytes) {
      repeat {
        scanner.skipBlanks(bytes)
        guard scanner.peek(bytes) == UInt8(ascii: "\"") else { throw scanner.fault("a key in quotes", bytes) }
        let start = scanner.cursor
        var key: [UInt8] = []
        try scanner.string(bytes, into: &key)
        guard keys.insert(key).inserted else { throw JSONError(.repeatedKey(nameText(key)), offset: start) }
        try scanner.skipColon(bytes)
        try member(key, bytes, &scanner)
        scanner.skipBlanks(bytes)
      } while scanner.skip(UInt8(ascii: ","), bytes)
      guard scanner.skip(UInt8(ascii: "}"), bytes) else { throw scanner.fault("',' or '}'", bytes) }
    }
    scanner.skipBlanks(bytes)
    if scanner.cursor < bytes.count { throw scanner.fault("the end of the line", bytes) }
    if wanted.label == nil { findLabel() }
  }

  /// Prefers the key that has metadata beside it, whatever its name, to the known names of labels.
  private mutating func findLabel() {
    let rule =
      metadata.isEmpty
      ? .none
      : LabelAttribute(among: (others.map(\.key) + metadata).map { String(decoding: $0, as: UTF8.self) })
    switch rule {
    case .named(let name) where isDescribed(name):
      label = others.first { $0.key.elementsEqual(name.utf8) }?.value
    case .several(let names) where names.allSatisfy(isDescribed):
      (label, isAmbiguous) = (nil, true)
      candidates = names.map { Array($0.utf8) }
    default: if label == nil { candidates = others.map(\.key) }
    }
  }

  private func isDescribed(_ name: String) -> Bool {
    metadata.contains(Array(name.utf8) + Array(LabelAttribute.suffix.utf8))
  }

  private mutating func member(_ key: [UInt8], _ bytes: Span<UInt8>, _ scanner: inout JSONScanner)
    throws(JSONError)
  {
    guard let value = try scalar(bytes, &scanner) else {
      if key.suffix(9).elementsEqual(LabelAttribute.suffix.utf8) { metadata.insert(key) }
      return
    }
    if let rank = Self.rank(of: key, wanted.image, among: Truth.pathColumns) {
      if rank < pathRank && !value.isEmpty { (path, pathRank) = (value, rank) }
      return
    }
    others.append((key, value))
    if let rank = Self.rank(of: key, wanted.label, among: Truth.labelColumns), rank < labelRank {
      (label, labelRank) = (value, rank)
    }
  }

  /// The rank of a key, 0 the best; `nil` where it is not one of those.
  private static func rank(of key: [UInt8], _ wanted: String?, among known: [String]) -> Int? {
    if let wanted { return key.elementsEqual(wanted.utf8) ? 0 : nil }
    return known.firstIndex { key.elementsEqual($0.utf8) }
  }

  /// The text of a string or the digits of a number; `nil` for any other value, which is skipped.
  private func scalar(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner) throws(JSONError) -> [UInt8]? {
    let start = scanner.cursor
    var text: [UInt8] = []
    switch scanner.peek(bytes) {
    case UInt8(ascii: "\""):
      try scanner.string(bytes, into: &text)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      try scanner.skipValue(bytes)
      for index in start..<scanner.cursor { text.append(bytes[index]) }
    default:
      try scanner.skipValue(bytes)
      return nil
    }
    return text
  }
}
