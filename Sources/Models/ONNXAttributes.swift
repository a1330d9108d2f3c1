/// The attributes of one node of an `.onnx` file, with every value that cannot be computed here refused by name.
struct ONNXAttributes {
  private let node: ONNXFile.Node
  private let label: String

  /// - Parameter known: the operator's attributes that have a say, or change nothing at inference.
  /// - Throws: where the node has another one.
  init(_ node: ONNXFile.Node, label: String, known: Set<String>) throws(ModelError) {
    self.node = node
    self.label = label
    for key in node.attributes.keys.sorted() where !known.contains(key) {
      throw fault("the attribute \(shown(key)) is not known")
    }
  }

  func fault(_ sentence: String) -> ModelError { node.fault(sentence, label: label) }

  private func fault(_ key: String, expected: String) -> ModelError {
    let value =
      switch node.attributes[key] {
      case nil: "not there"
      case .number(let value): "\(value)"
      case .integer(let value): "\(value)"
      case .integers(let values): "\(values.prefix(8))"
      case .text(let text): shown(text)
      case .array, .other: "of another kind"
      }
    return fault("\(key) is \(value); \(expected) is expected")
  }

  /// - Parameter standard: the value of an attribute that is not there.
  func integer(_ key: String, standard: Int, _ allowed: Int...) throws(ModelError) -> Int {
    guard let value = node.attributes[key] else { return standard }
    guard case .integer(let number) = value, allowed.contains(number) else {
      throw fault(key, expected: allowed.map(String.init).joined(separator: " or "))
    }
    return number
  }

  /// nil where it is not there.
  func integer(_ key: String) throws(ModelError) -> Int? {
    guard let value = node.attributes[key] else { return nil }
    guard case .integer(let number) = value else { throw fault(key, expected: "a whole number") }
    return number
  }

  /// 1, as a factor or as text for the attribute of a symbol.
  func expectOne(_ key: String) throws(ModelError) {
    guard let value = node.attributes[key] else { return }
    guard case .number(1) = value else { throw fault(key, expected: "1.0") }
  }

  func number(_ key: String, standard: Float) throws(ModelError) -> Float {
    guard let value = node.attributes[key] else { return standard }
    guard case .number(let number) = value, number.isFinite, number >= 0 else {
      throw fault(key, expected: "a number, 0 or more,")
    }
    return number
  }

  /// nil where it is not there.
  func integers(_ key: String) throws(ModelError) -> [Int]? {
    guard let value = node.attributes[key] else { return nil }
    guard case .integers(let numbers) = value else { throw fault(key, expected: "a list of whole numbers") }
    return numbers
  }

  /// A number for rows and one for columns, as a symbol has it.
  func extent(_ key: String, standard: String? = nil) throws(ModelError) -> String {
    guard let numbers = try integers(key) else {
      if let standard { return standard }
      throw fault(key, expected: "a pair of whole numbers")
    }
    guard numbers.count == 2 else { throw fault(key, expected: "a pair of whole numbers") }
    return "(\(numbers[0]), \(numbers[1]))"
  }

  /// A kernel of one number has no gaps, whatever `dilations` says.
  func expectNoDilation(kernel: [Int]) throws(ModelError) {
    guard let numbers = try integers("dilations") else { return }
    guard numbers.count == kernel.count, zip(numbers, kernel).allSatisfy({ $0 == 1 || $1 == 1 }) else {
      throw fault("dilations", expected: "[1, 1]")
    }
  }

  enum Padding {
    /// Rows above and columns to the left, rows below and columns to the right.
    case margins([Int], [Int])
    /// So many that each stride has its window; of an odd number the larger half comes first or last.
    case same(largerFirst: Bool)
  }

  func padding() throws(ModelError) -> Padding {
    if let value = node.attributes["auto_pad"] {
      switch value {
      case .text("NOTSET"): break
      case .text("VALID"): return .margins([0, 0], [0, 0])
      case .text("SAME_UPPER"): return .same(largerFirst: false)
      case .text("SAME_LOWER"): return .same(largerFirst: true)
      default: throw fault("auto_pad", expected: "NOTSET, VALID, SAME_UPPER or SAME_LOWER")
      }
    }
    guard let pads = try integers("pads") else { return .margins([0, 0], [0, 0]) }
    guard pads.count == 4 else { throw fault("pads", expected: "four numbers") }
    return .margins([pads[0], pads[1]], [pads[2], pads[3]])
  }

  /// For margins that cannot be computed here.
  func fault(of padding: Padding) -> ModelError {
    switch padding {
    case .margins: fault("pads", expected: "the same above and below, left and right,")
    case .same:
      fault("auto_pad", expected: "one that makes the same margins above and below, left and right,")
    }
  }
}

extension ONNXFile.Node {
  func fault(_ sentence: String, label: String) -> ModelError {
    ModelError("\(label): node \(shown(name)) (\(shown(operation))): \(sentence)")
  }
}
