import Encodings
import Files

/// The layout of a table of predictions: a header, then one row for each image, with a column that names the image.
///
/// The prediction is a column of probabilities for each class, or one column with the predicted class.
struct OutputTable: Sendable {
  enum Content: Hashable, Sendable {
    /// The index of the column with the predicted class.
    case label(Int)
    /// The index of each class's column, in label order.
    case probabilities([Int])
  }

  let separator: UInt8
  /// The number of the header's line.
  let headerLine: Int
  let nameColumn: Int
  /// Whether the names are ids.
  let areIDs: Bool
  private let header: [[UInt8]]
  private let labelColumn: Int?
  /// Columns that hold neither the image's name nor a predicted class.
  private let otherColumns: [Int]
  /// Whether the values of the first row in `otherColumns` are a distribution: numbers from 0 up whose sum is 1.
  private let holdsProbabilities: Bool
  private(set) var content: Content

  private static let labelNames = [
    "predicted_label", "predicted_class", "predicted", "prediction", "predictions", "label", "class",
    "class_id",
    "class_name",
  ]

  /// - Parameter start: the beginning of a file, at least its first two lines.
  /// - Returns: `nil` where the first line is not a header with a known name for the column of images.
  init?(_ start: [UInt8]) {
    if let first = start.first(where: { $0 > 0x20 }), first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
    {
      return nil
    }
    var found: OutputTable?
    for separator in TableLayout.separators {
      guard let table = OutputTable(start, separator: separator) else { continue }
      // If two separators both yield a column of images, the file is not taken for a table.
      if found != nil { return nil }
      found = table
    }
    guard let found else { return nil }
    self = found
  }

  private init?(_ start: [UInt8], separator: UInt8) {
    var rows = TableReader(start, separator: separator)
    guard let header = try? rows.next(), header.count > 1 else { return nil }
    let names = header.map { String(decoding: $0, as: UTF8.self).lowercased() }
    guard let name = PredictionKeys.names.first(where: { names.contains($0) }),
      let nameColumn = names.firstIndex(of: name)
    else { return nil }
    let label = Self.labelNames.lazy.compactMap { names.firstIndex(of: $0) }.first { $0 != nameColumn }
    let others = header.indices.filter { $0 != nameColumn && !Self.labelNames.contains(names[$0]) }
    (self.separator, self.header, self.nameColumn, labelColumn) = (separator, header, nameColumn, label)
    headerLine = rows.line
    areIDs = name == PredictionKeys.names[PredictionKeys.idRank]
    otherColumns = others
    content = label.map { .label($0) } ?? .probabilities([])
    let row = (try? rows.next()) ?? []
    let values = others.compactMap { $0 < row.count ? Self.number(row[$0]) : nil }
    holdsProbabilities =
      others.count > 1 && values.count == others.count && abs(values.reduce(0, +) - 1) < 0.01
  }

  private static func number(_ text: [UInt8]) -> Double? {
    var scanner = JSONScanner()
    guard let value = try? scanner.number(text.span), scanner.cursor == text.count, value >= 0 else {
      return nil
    }
    return value
  }

  /// The classes that the columns name, where no class list was given; `nil` where the columns hold no probabilities or
  /// are headed by labels.
  /// - Throws: `.unclearTable` where two columns have the same name.
  func classes(path: String) throws(OutputError) -> ClassList? {
    guard holdsProbabilities else { return nil }
    if numberedColumns(count: otherColumns.count) != nil { return nil }
    let names = otherColumns.map { nameText(header[$0]) }
    do throws(TruthError) {
      return try ClassList(names)
    } catch {
      throw OutputError(.unclearTable(error.description), path: path)
    }
  }

  /// The columns headed by the labels 0 to `count` - 1; `nil` where one of them is lacking.
  private func numberedColumns(count: Int) -> [Int]? {
    let columns = (0..<count).compactMap { header.firstIndex(of: Array("\($0)".utf8)) }
    return columns.count == count ? columns : nil
  }

  /// This table with its columns assigned to the classes.
  ///
  /// - Parameter classes: `nil` where classes have only labels.
  /// - Throws: `.unclearTable` where the classes have no columns, or columns are left over.
  func joined(with classes: ClassList?, path: String) throws(OutputError) -> OutputTable {
    var table = self
    let named = classes.map { classes in
      classes.names.compactMap { name in header.firstIndex(of: Array(name.utf8)) }
    }
    if let named, let classes, named.count == classes.count {
      table.content = .probabilities(named)
    } else if let columns = numberedColumns(count: classes?.count ?? otherColumns.count), !columns.isEmpty {
      table.content = .probabilities(columns)
    } else if labelColumn == nil {
      let columns = shortList(otherColumns.map { "\"\(nameText(header[$0].prefix(80)))\"" })
      let expected = classes.map { shortList($0.names.map { "\"\($0)\"" }) } ?? "each class"
      throw OutputError(
        .unclearTable(
          "its columns \(columns) are not those of the classes; a column for \(expected) is expected"),
        path: path)
    }
    if case .probabilities(let columns) = table.content {
      let unused = otherColumns.filter { !columns.contains($0) }
      guard unused.isEmpty else {
        throw OutputError(
          .unclearTable(
            "\(shortList(unused.map { "\"\(nameText(header[$0].prefix(80)))\"" })) is not on the class list"
          ),
          path: path)
      }
    }
    return table
  }
}

extension PredictionParser {
  /// Parses a row of a table of predictions.
  /// - Throws: what is wrong with the row; nothing is then added to `values`. `name` is set if the row has one.
  mutating func parse(row bytes: Span<UInt8>, of table: OutputTable) throws(PredictionFault)
    -> PredictionContent
  {
    nameRank = nil
    var line = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    var rows = TableReader(line, separator: table.separator)
    let fields: [[UInt8]]
    do throws(TruthError) {
      fields = try rows.next() ?? []
    } catch {
      throw PredictionFault(.file("the row has a quote that is not closed"))
    }
    guard table.nameColumn < fields.count, !fields[table.nameColumn].isEmpty else {
      throw PredictionFault(.file("the row does not name its image"))
    }
    name = fields[table.nameColumn]
    nameRank = table.areIDs ? PredictionKeys.idRank : 0
    switch table.content {
    case .label(let column):
      guard column < fields.count else { throw PredictionFault(.file("the row has no class")) }
      let field = fields[column]
      guard field.first == UInt8(ascii: "[") else { return try label(text: field) }
      var scanner = JSONScanner()
      let start = values.count
      let content = try row(field.span, &scanner)
      guard scanner.cursor == field.count else {
        values.removeLast(values.count - start)
        throw PredictionFault(.json(scanner.fault("the end of the field", field.span)))
      }
      return content
    case .probabilities(let columns):
      let cells = columns.map { $0 < fields.count ? fields[$0] : [] }
      return try row(of: cells)
    }
  }

  private mutating func row(of cells: [[UInt8]]) throws(PredictionFault) -> PredictionContent {
    let start = values.count
    do throws(PredictionFault) {
      var sum = 0.0
      for cell in cells {
        var scanner = JSONScanner()
        do throws(JSONError) {
          values.append(try scanner.number(cell.span))
          guard scanner.cursor == cell.count else { throw scanner.fault("the end of the field", cell.span) }
        } catch {
          throw PredictionFault(.file("\"\(nameText(cell.prefix(40)))\" where a probability is expected"))
        }
        let value = values[values.count - 1]
        guard value >= 0 else { throw PredictionFault(.negative(nameText(cell.prefix(40)), offset: 0)) }
        sum += value
      }
      guard classCount == nil || cells.count == classCount else {
        throw PredictionFault(.wrongLength(cells.count, expected: classCount ?? 0))
      }
      guard sum > 0 else { throw PredictionFault(.allZero) }
      guard sum.isFinite else { throw PredictionFault(.sumBeyondDouble) }
      return .probabilities(count: cells.count)
    } catch {
      values.removeLast(values.count - start)
      throw error
    }
  }
}
