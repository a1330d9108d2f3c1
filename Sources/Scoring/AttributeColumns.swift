import Files

/// The accuracy over a part of the images.
public struct Slice: Codable, Hashable, Sendable {
  /// Which images a slice has.
  public enum Kind: String, Codable, Sendable {
    /// The images with one value of the attribute.
    case value
    /// The images with low...high of a numeric attribute, about a fifth of all.
    case quantile
    /// The images with one of the rarest values of a text attribute.
    case other
    /// The images without the attribute.
    case missing
  }
  /// The name of the attribute.
  public var attribute: String
  /// Which images the slice has.
  public var kind: Kind
  /// The value as text, for example "640...1024"; empty for `.other` and `.missing`.
  public var value: String
  /// The least value of a numeric attribute in the slice; `nil` otherwise.
  @OrNull public var low: Double?
  /// The largest value of a numeric attribute in the slice; `nil` otherwise.
  @OrNull public var high: Double?
  /// The number of images.
  public var count: Int
  /// The number of images that are right.
  public var correct: Int
  /// The share of images that are right, with Wilson's interval.
  public var top1: Estimate

  enum CodingKeys: String, CodingKey {
    case attribute, kind, value, low, high
    case count = "n"
    case correct, top1
  }
}

/// The attributes of all images, a column for each name, in the order in which the images came.
struct AttributeColumns: Sendable {
  struct Column: Sendable {
    /// The number of each image; NaN where it has none.
    var numbers: [Double]
    /// The index in `texts` of each image's text; -1 where it has none.
    var textIndices: [Int32]
    var texts: [String] = []
    private var positions: [ByteName: Int32] = [:]

    init(count: Int) {
      numbers = Array(repeating: .nan, count: count)
      textIndices = Array(repeating: -1, count: count)
    }

    mutating func append(_ attribute: Attribute?) {
      switch attribute {
      case .number(let value) where value.isFinite:
        numbers.append(value)
        textIndices.append(-1)
      case .text(let text):
        numbers.append(.nan)
        textIndices.append(position(text))
      case .number, nil:
        numbers.append(.nan)
        textIndices.append(-1)
      }
    }

    mutating func append(contentsOf other: Column) {
      numbers += other.numbers
      let mapped = other.texts.map { position($0) }
      for index in other.textIndices { textIndices.append(index < 0 ? -1 : mapped[Int(index)]) }
    }

    private mutating func position(_ text: String) -> Int32 {
      let name = ByteName(text)
      if let known = positions[name] { return known }
      let new = Int32(texts.count)
      texts.append(text)
      positions[name] = new
      return new
    }
  }
  private(set) var columns: [ByteName: Column] = [:]
  private(set) var count = 0

  mutating func append(_ attributes: [ByteName: Attribute]) {
    for name in attributes.keys where columns[name] == nil { columns[name] = Column(count: count) }
    for name in columns.keys { columns[name]?.append(attributes[name]) }
    count += 1
  }

  mutating func append(contentsOf other: AttributeColumns) {
    for name in other.columns.keys where columns[name] == nil { columns[name] = Column(count: count) }
    for name in columns.keys {
      columns[name]?.append(contentsOf: other.columns[name] ?? Column(count: other.count))
    }
    count += other.count
  }
}

extension AttributeColumns {
  /// Numeric attributes with more distinct values are divided into quantiles.
  private static let numberLimit = 8
  /// In text attributes with more distinct values, the rarest values share one slice.
  private static let textLimit = 50
  private static let quantileCount = 5

  /// The slices of every attribute: attributes by name, slices by value.
  /// - Parameter isCorrect: for each image, in the order in which they came.
  func slices(_ isCorrect: [Bool]) -> [Slice] {
    columns.keys.sorted().flatMap { name -> [Slice] in
      guard let column = columns[name] else { return [] }
      var made = column.texts.isEmpty ? numeric(column, isCorrect) : textual(column, isCorrect)
      for index in made.indices { made[index].attribute = name.text }
      return made
    }
  }

  private struct Part {
    var count = 0
    var correct = 0

    mutating func add(_ isCorrect: Bool) {
      count += 1
      if isCorrect { correct += 1 }
    }

    func slice(_ kind: Slice.Kind, _ value: String, low: Double? = nil, high: Double? = nil) -> Slice {
      Slice(
        attribute: "", kind: kind, value: value, low: low, high: high, count: count, correct: correct,
        top1: .wilson(correct, of: count))
    }
  }

  private func numeric(_ column: Column, _ isCorrect: [Bool]) -> [Slice] {
    var missing = Part()
    var values: [(value: Double, isCorrect: Bool)] = []
    for index in column.numbers.indices {
      if column.numbers[index].isNaN {
        missing.add(isCorrect[index])
      } else {
        // Adding 0 turns -0 into 0: they are one value.
        values.append((column.numbers[index] + 0, isCorrect[index]))
      }
    }
    values.sort { $0.value < $1.value }
    var distinct = 0
    for index in values.indices where index == 0 || values[index].value != values[index - 1].value {
      distinct += 1
    }
    let byValue = distinct <= Self.numberLimit

    var slices: [Slice] = []
    var part = Part()
    var low = 0.0
    var bin = 0
    for index in values.indices {
      let isNew = index == 0 || values[index].value != values[index - 1].value
      // Equal values share the bin of the first of them.
      let ownBin = isNew ? (byValue ? index : index * Self.quantileCount / values.count) : bin
      if index == 0 || ownBin != bin {
        if index > 0 { slices.append(named(part, low, values[index - 1].value, byValue)) }
        part = Part()
        low = values[index].value
        bin = ownBin
      }
      part.add(values[index].isCorrect)
    }
    if let last = values.last { slices.append(named(part, low, last.value, byValue)) }
    if missing.count > 0 { slices.append(missing.slice(.missing, "")) }
    return slices
  }

  private func named(_ part: Part, _ low: Double, _ high: Double, _ byValue: Bool) -> Slice {
    let text = low == high ? Self.text(low) : "\(Self.text(low))...\(Self.text(high))"
    return part.slice(byValue ? .value : .quantile, text, low: low, high: high)
  }

  private static func text(_ number: Double) -> String {
    if let whole = Int64(exactly: number) { "\(whole)" } else { "\(number)" }
  }

  private func textual(_ column: Column, _ isCorrect: [Bool]) -> [Slice] {
    var missing = Part()
    var parts: [ByteName: Part] = [:]
    for index in column.textIndices.indices {
      let position = column.textIndices[index]
      if position >= 0 {
        parts[ByteName(column.texts[Int(position)]), default: Part()].add(isCorrect[index])
      } else if !column.numbers[index].isNaN {
        parts[ByteName(Self.text(column.numbers[index])), default: Part()].add(isCorrect[index])
      } else {
        missing.add(isCorrect[index])
      }
    }
    // Most images first, then by name.
    let ranked = parts.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
    let kept = ranked.count <= Self.textLimit ? ranked.count : Self.textLimit - 1
    var slices = ranked.prefix(kept).map { $0.value.slice(.value, $0.key.text) }
    if kept < ranked.count {
      var other = Part()
      for (_, part) in ranked.dropFirst(kept) {
        other.count += part.count
        other.correct += part.correct
      }
      slices.append(other.slice(.other, ""))
    }
    if missing.count > 0 { slices.append(missing.slice(.missing, "")) }
    return slices
  }
}

/// A fact about an image by which accuracy is sliced.
public enum Attribute: Hashable, Sendable {
  /// A number; one that is not finite counts as missing.
  case number(Double)
  /// A text.
  case text(String)
}
