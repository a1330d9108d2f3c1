import Files
import Records

extension Truth {
  /// JSON lines, each an object with a path and a label; also SageMaker's augmented manifest, whose label stands
  /// under the key that has a `-metadata` key beside it.
  init(lines path: String, classes: ClassList?) throws(TruthError) {
    self.init(.lines, classes: classes)
    var names = NamedLabels(classes)
    let file = baseName(path)
    var blocks = try readingTruth(path) { () throws(FileError) in try LineBlocks(path) }
    while let block = try readingTruth(path, { () throws(FileError) in try blocks.next() }) {
      block.forEachLine { line, bytes in add(line: bytes, "\(file) line \(line)", &names) }
    }
    try resolve(names)
  }

  private mutating func add(line: Span<UInt8>, _ place: String, _ names: inout NamedLabels) {
    var parser = TruthLineParser()
    do throws(JSONFault) {
      try parser.parse(line)
    } catch {
      if let path = parser.path { return reject(path, error.description) }
      rejections.append(Rejection(path: place, reason: error.description))
      return
    }
    guard let path = parser.path else {
      rejections.append(
        Rejection(
          path: place,
          reason: "it names no image; a key \(Self.pathColumns.prefix(4).joined(separator: ", ")) is expected"
        ))
      return
    }
    if !parser.candidates.isEmpty {
      return reject(
        path,
        "any of \(parser.candidates.prefix(5).joined(separator: ", ")) may be its label; name one of them label"
      )
    }
    guard let label = parser.label else {
      reject(
        path, "it has no label; a key \(Self.labelColumns.prefix(4).joined(separator: ", ")) is expected")
      return
    }
    guard paths.append(path) else { return reject(path, Self.tooLarge) }
    labels.append(names.add(label))
  }
}

/// Reads a path and a label out of one JSON object.
private struct TruthLineParser {
  var path: [UInt8]?
  var label: [UInt8]?
  /// Where several keys may be the label, those.
  private(set) var candidates: [String] = []
  private var pathRank = Int.max
  private var labelRank = Int.max
  /// Scalars under keys of no known meaning, and keys that end in `-metadata`.
  private var others: [(key: [UInt8], value: [UInt8])] = []
  private var metadata: [[UInt8]] = []

  mutating func parse(_ bytes: Span<UInt8>) throws(JSONFault) {
    var scanner = JSONScanner()
    scanner.skipBlanks(bytes)
    guard scanner.skip(UInt8(ascii: "{"), bytes) else { throw scanner.fault("an object", bytes) }
    scanner.skipBlanks(bytes)
    if !scanner.skip(UInt8(ascii: "}"), bytes) {
      repeat {
        scanner.skipBlanks(bytes)
        guard scanner.peek(bytes) == UInt8(ascii: "\"") else { throw scanner.fault("a key in quotes", bytes) }
        var key: [UInt8] = []
        try scanner.string(bytes, into: &key)
        try scanner.skipColon(bytes)
        try member(key, bytes, &scanner)
        scanner.skipBlanks(bytes)
      } while scanner.skip(UInt8(ascii: ","), bytes)
      guard scanner.skip(UInt8(ascii: "}"), bytes) else { throw scanner.fault("',' or '}'", bytes) }
    }
    scanner.skipBlanks(bytes)
    if scanner.cursor < bytes.count { throw scanner.fault("the end of the line", bytes) }
    if label == nil, !metadata.isEmpty { takeDescribedLabel() }
  }

  private mutating func takeDescribedLabel() {
    func name(_ key: [UInt8]) -> String { String(decoding: key, as: UTF8.self) }
    switch LabelAttribute(among: (others.map { $0.key } + metadata).map(name)) {
    case .named(let found):
      let key = Array(found.utf8)
      guard metadata.contains(key + Array(LabelAttribute.suffix.utf8)) else { return }
      label = others.first { $0.key == key }?.value
    case .several(let names): candidates = names
    case .none: break
    }
  }

  private mutating func member(_ key: [UInt8], _ bytes: Span<UInt8>, _ scanner: inout JSONScanner)
    throws(JSONFault)
  {
    guard let value = try scalar(bytes, &scanner) else {
      if key.suffix(9).elementsEqual(LabelAttribute.suffix.utf8) { metadata.append(key) }
      return
    }
    let name = String(decoding: key, as: UTF8.self)
    if let rank = Truth.pathColumns.firstIndex(of: name) {
      if rank < pathRank && !value.isEmpty { (path, pathRank) = (value, rank) }
    } else if let rank = Truth.labelColumns.firstIndex(of: name) {
      if rank < labelRank { (label, labelRank) = (value, rank) }
    } else {
      others.append((key, value))
    }
  }

  /// The text of a string or the digits of a number; `nil` for all else, which is passed over.
  private func scalar(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner) throws(JSONFault) -> [UInt8]? {
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
