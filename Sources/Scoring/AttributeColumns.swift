import Files

/// The attributes of all images, one column a name, in the order the images came.
struct AttributeColumns: Sendable {
  struct Column: Sendable {
    /// NaN where the image has no number here.
    var numbers: [Double]
    /// Position in `texts`, -1 where the image has no text here.
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
