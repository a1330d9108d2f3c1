import Encodings
import Files

extension Truth {
  /// Known names of columns with the path, the best first; compared without regard to case.
  static let pathColumns = PredictionKeys.names
  /// Known names of columns with the label, the best first; compared without regard to case.
  static let labelColumns = [
    "label", "truth", "true_label", "class", "class_id", "class_name", "category", "target", "y", "y_true",
    "ground_truth",
  ]

  /// Reads a table of paths and labels; with a header, its further columns become `columns`.
  ///
  /// The first row is a header if it has known names for both. Else the first field of each row is the path and the
  /// second the label; a first row whose path has no image's suffix is then kept as `undecided`.
  /// - Throws: `.file`; `.encoding`; what `TableLayout.init` throws; `.openQuote`; `.severalLabels`; `.repeatedClass`;
  ///   `.tooLarge`.
  init(table path: String, classes: ClassList?, columns wanted: TruthColumns) throws(TruthError) {
    self.init(.table, classes: classes)
    let file = try readingTruth(path) { () throws(FileError) in try readFile(path).bytes }
    let text = try utf8Bytes(of: file, path: path)
    do throws(TruthError) {
      guard let layout = try TableLayout(text, suffix: splitExtension(path).suffix.lowercased(), wanted)
      else {
        return
      }
      try read(text, layout, baseName(path), choosesLabel: wanted.label == nil)
      if let row = layout.undecided {
        undecided = Undecided(
          path: row[layout.image],
          error: TruthError(.unknownHeader(row.map { nameText($0) }), path: path))
      }
    } catch {
      throw TruthError(error.reason, path: path)
    }
  }

  /// - Parameter choosesLabel: whether the column of the labels was found by its name, and not named by the caller.
  private mutating func read(
    _ text: [UInt8], _ layout: TableLayout, _ file: String, choosesLabel: Bool
  ) throws(TruthError) {
    var rows = TableReader(text, separator: layout.separator)
    var names = NamedLabels(classes)
    var others: [(name: String, index: Int, values: [String])] = []
    if let header = layout.header {
      _ = try rows.next()
      others = header.indices.filter { $0 != layout.image && $0 != layout.label }
        .map { (nameText(header[$0]), $0, []) }
    }
    while let row = try rows.next() {
      try add(row, layout, &others, &names, "\(file) line \(rows.line)")
    }
    columns = others.map { Column(name: $0.name, values: $0.values) }
    if choosesLabel, let header = layout.header {
      let rival = columns.first { Self.labelColumns.contains($0.name.lowercased()) && disagrees($0) }
      if let rival { throw TruthError(.severalLabels(nameText(header[layout.label]), rival.name), path: "") }
    }
    try resolve(names)
  }

  private mutating func add(
    _ row: [[UInt8]], _ layout: TableLayout,
    _ others: inout [(name: String, index: Int, values: [String])],
    _ names: inout NamedLabels, _ place: String
  ) throws(TruthError) {
    guard row.count > max(layout.image, layout.label), !row[layout.image].isEmpty else {
      rejections.append(InputProblem(path: place, reason: "a path and a label are expected"))
      return
    }
    try add(row[layout.image], names.add(row[layout.label]), nil, "")
    for index in others.indices {
      others[index].values.append(others[index].index < row.count ? nameText(row[others[index].index]) : "")
    }
  }

  /// Whether images of one label have different values in the column. Where they do not, as with the names of classes
  /// beside their numbers, it does not matter which of the two holds the labels.
  private func disagrees(_ column: Column) -> Bool {
    var values: [Int32: String] = [:]
    return zip(labels, column.values).contains { label, value in
      guard !value.isEmpty, let former = values.updateValue(value, forKey: label) else { return false }
      return !hasSameBytes(former, value)
    }
  }

  /// Replaces the numbers that stand for texts by the labels that the texts mean.
  mutating func resolve(_ names: NamedLabels) throws(TruthError) {
    let (resolved, classes) = try names.resolve()
    self.classes = classes
    let provisional = labels
    var isKept = [Bool](repeating: true, count: count)
    for entry in 0..<count {
      if let label = resolved[Int(provisional[entry])] {
        labels[entry] = label
      } else {
        isKept[entry] = false
        setAside(entry)
        let text = names.text(provisional[entry])
        let other = classes?.lookalike(of: text).map { "; did you mean \"\($0)\"?" } ?? ""
        rejections.append(
          InputProblem(
            path: path(entry), reason: "label \"\(text)\" is unknown; \(expectedLabels) is expected\(other)"))
      }
    }
    if isKept.contains(false) { keep(isKept) }
  }
}

/// How a table of truth is separated into columns, and which of them hold the path and the label.
struct TableLayout {
  /// The separators that are tried.
  static let separators = [",", "\t", ";", "|"].map { UInt8(ascii: $0) }

  let separator: UInt8
  private(set) var image = 0
  private(set) var label = 1
  /// The first row, where it names the columns.
  private(set) var header: [[UInt8]]?
  /// The first row, where it has neither a known name of a column nor a path with an image's suffix, so that it may be
  /// a header or an image.
  private(set) var undecided: [[UInt8]]?

  private struct Names {
    var image: Int?
    var label: Int?
  }

  /// Finds the layout by the first row.
  ///
  /// - Parameter suffix: the suffix of the file's name; `.csv` means commas and `.tsv` tabs where several separators
  ///   are possible.
  /// - Returns: `nil` where there is no row.
  /// - Throws: `.openQuote`, `.oneColumn`, `.manySeparators`, `.noColumn`, `.repeatedColumn`; all without the path.
  init?(_ text: [UInt8], suffix: String, _ wanted: TruthColumns) throws(TruthError) {
    var cuts: [(separator: UInt8, row: [[UInt8]])] = []
    var whole: [[UInt8]]?
    for separator in TableReader.hint(in: text).map({ [$0.separator] }) ?? Self.separators {
      var rows = TableReader(text, separator: separator)
      guard let row = try rows.next() else { return nil }
      if row.count > 1 { cuts.append((separator, row)) } else { whole = row }
    }
    guard !cuts.isEmpty else {
      throw TruthError(.oneColumn(nameText((whole?.first ?? []).prefix(200))), path: "")
    }
    // A separator that yields known names for both columns is the right one.
    var named: [(cut: (separator: UInt8, row: [[UInt8]]), names: Names)] = []
    for cut in cuts {
      let names = Self.known(cut.row, wanted)
      if names.image != nil && names.label != nil { named.append((cut, names)) }
    }
    let own = [".csv": UInt8(ascii: ","), ".tsv": UInt8(ascii: "\t")][suffix]
    let cut: (separator: UInt8, row: [[UInt8]])
    if named.count == 1 {
      cut = named[0].cut
    } else if cuts.count == 1 {
      cut = cuts[0]
    } else if let usual = cuts.first(where: { $0.separator == own }) {
      cut = usual
    } else {
      throw TruthError(.manySeparators(cuts.map { String(UnicodeScalar($0.separator)) }), path: "")
    }
    separator = cut.separator
    try findColumns(cut.row, wanted)
  }

  private mutating func findColumns(_ row: [[UInt8]], _ wanted: TruthColumns) throws(TruthError) {
    var found = Self.known(row, wanted)
    let names = row.map { nameText($0) }
    for (name, place) in [(wanted.image, found.image), (wanted.label, found.label)] {
      if let name, place == nil {
        throw TruthError(.noColumn("\"\(name)\"", known: [], header: names), path: "")
      }
    }
    // With two columns, one of which the caller named, the other column is the other of the two.
    if row.count == 2, wanted != TruthColumns() {
      if let image = found.image, found.label == nil { found.label = 1 - image }
      if let label = found.label, found.image == nil { found.image = 1 - label }
    }
    switch (found.image, found.label) {
    case (let image?, let label?):
      for place in [image, label] where row.count(where: { Self.folded($0) == Self.folded(row[place]) }) > 1 {
        throw TruthError(.repeatedColumn(names[place]), path: "")
      }
      guard image != label else { throw TruthError(.repeatedColumn(names[image]), path: "") }
      (self.image, self.label, header) = (image, label, row)
    // A row with a known name for one of the two is a header that lacks the other, not an image.
    case (_?, nil):
      throw TruthError(.noColumn("the label", known: Truth.labelColumns, header: names), path: "")
    case (nil, _?): throw TruthError(.noColumn("the path", known: Truth.pathColumns, header: names), path: "")
    case (nil, nil): if !hasImageSuffix(row[0]) { undecided = row }
    }
  }

  private static func known(_ row: [[UInt8]], _ wanted: TruthColumns) -> Names {
    func place(_ name: String?, among known: [String]) -> Int? {
      if let name {
        return row.firstIndex(of: Array(name.utf8)) ?? row.firstIndex { folded($0) == name.lowercased() }
      }
      for name in known { if let place = row.firstIndex(where: { folded($0) == name }) { return place } }
      return nil
    }
    return Names(
      image: place(wanted.image, among: Truth.pathColumns),
      label: place(wanted.label, among: Truth.labelColumns))
  }

  private static func folded(_ name: [UInt8]) -> String { String(decoding: name, as: UTF8.self).lowercased() }
}

/// Whether a path ends in the suffix of an image; no known name of a column does.
func hasImageSuffix(_ path: some BidirectionalCollection<UInt8>) -> Bool {
  let suffixes = [
    "jpg", "jpeg", "jpe", "jfif", "png", "gif", "bmp", "webp", "tif", "tiff", "ppm", "heic", "avif",
  ]
  let end = path.suffix(6)
  guard let dot = end.lastIndex(of: UInt8(ascii: ".")) else { return false }
  return suffixes.contains(String(decoding: end[end.index(after: dot)...], as: UTF8.self).lowercased())
}

/// Reads a table by RFC 4180, with any separator: a field that holds the separator, a quote or a line end is quoted,
/// and a quote in quotes is doubled. Lines end with LF or CRLF; empty lines are skipped.
///
/// Spaces around a field are dropped, because people put them after commas; spaces inside quotes are kept.
struct TableReader {
  private let bytes: [UInt8]
  private let separator: UInt8
  private var cursor = 0
  /// The number, from 1, of the first line of the row that was read last.
  private(set) var line = 0
  private var nextLine = 1

  init(_ bytes: [UInt8], separator: UInt8) {
    self.bytes = bytes
    self.separator = separator
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { cursor = 3 }
    if let hint = Self.hint(in: bytes) { (cursor, nextLine) = (hint.end, 2) }
  }

  /// What a first line `sep=;` says, which spreadsheets write: the separator, and the first byte behind that line.
  static func hint(in bytes: [UInt8]) -> (separator: UInt8, end: Int)? {
    let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    let line = bytes[start...].prefix(8).prefix { $0 != UInt8(ascii: "\n") }
    let words = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    guard words.count == 5, words.starts(with: Array("sep=".utf8)), line.endIndex < bytes.count,
      bytes[line.endIndex] == UInt8(ascii: "\n"), let separator = words.last,
      TableLayout.separators.contains(separator)
    else { return nil }
    return (separator, line.endIndex + 1)
  }

  /// The fields of the next row; `nil` at the end.
  /// - Throws: `.openQuote`, without the path.
  mutating func next() throws(TruthError) -> [[UInt8]]? {
    while skipLineEnd() {}
    guard cursor < bytes.count else { return nil }
    line = nextLine
    var fields: [[UInt8]] = []
    while true {
      fields.append(try field())
      if cursor == bytes.count || skipLineEnd() { return fields }
      cursor += 1  // the separator
    }
  }

  private mutating func skipLineEnd() -> Bool {
    if cursor < bytes.count, bytes[cursor] == UInt8(ascii: "\n") {
      cursor += 1
    } else if cursor + 1 < bytes.count, bytes[cursor] == UInt8(ascii: "\r"),
      bytes[cursor + 1] == UInt8(ascii: "\n")
    {
      cursor += 2
    } else {
      return false
    }
    nextLine += 1
    return true
  }

  /// Reads a field, and leaves the cursor at the separator or the line end after it.
  private mutating func field() throws(TruthError) -> [UInt8] {
    var field: [UInt8] = []
    while cursor < bytes.count, isBlank(bytes[cursor]) { cursor += 1 }
    var quotedCount = 0
    if cursor < bytes.count, bytes[cursor] == UInt8(ascii: "\"") {
      try quotedPart(&field)
      quotedCount = field.count
    }
    // Text after a closing quote belongs to the field, as in spreadsheets.
    while cursor < bytes.count, bytes[cursor] != separator, bytes[cursor] != UInt8(ascii: "\n") {
      if bytes[cursor] == UInt8(ascii: "\r"), cursor + 1 < bytes.count,
        bytes[cursor + 1] == UInt8(ascii: "\n")
      {
        break
      }
      field.append(bytes[cursor])
      cursor += 1
    }
    while field.count > quotedCount, let last = field.last, isBlank(last) { field.removeLast() }
    return field
  }

  private func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") && separator != UInt8(ascii: "\t")
  }

  private mutating func quotedPart(_ field: inout [UInt8]) throws(TruthError) {
    cursor += 1
    while cursor < bytes.count {
      let byte = bytes[cursor]
      cursor += 1
      if byte == UInt8(ascii: "\"") {
        guard cursor < bytes.count, bytes[cursor] == UInt8(ascii: "\"") else { return }
        cursor += 1
      } else if byte == UInt8(ascii: "\n") {
        nextLine += 1
      }
      field.append(byte)
    }
    throw TruthError(.openQuote(line: line), path: "")
  }
}
