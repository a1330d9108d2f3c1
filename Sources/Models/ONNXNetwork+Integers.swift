/// Whole numbers that are known before there is an image: shapes, and what exporters compute of them. The number of
/// images, which is open, goes through as it is; what would be computed of it is refused.
extension ONNXNetwork {
  /// Whether a node computes whole numbers of whole numbers.
  func isArithmetic(_ node: ONNXFile.Node) -> Bool {
    switch node.operation {
    case "Shape": return true
    case "Add", "Sub", "Mul", "Div", "Gather", "Unsqueeze", "Squeeze", "Concat", "Slice", "Cast",
      "ConstantOfShape":
      return !node.inputs.isEmpty && node.inputs.allSatisfy { $0.isEmpty || isInteger($0) }
    default: return false
    }
  }

  mutating func computeIntegers(_ node: ONNXFile.Node) throws(ModelError) {
    switch node.operation {
    case "Shape": try shapeOperator(node)
    case "Gather": try gather(node)
    case "Unsqueeze":
      try expectFirstAxis(node, standard: nil)
      guard try row(node, node.inputs[0]).isScalar else { throw fault(node, "its input is no single number") }
      try giveIntegers(node, try row(node, node.inputs[0]).values, isScalar: false)
    case "Squeeze":
      try expectFirstAxis(node, standard: 0)
      let values = try row(node, node.inputs[0]).values
      guard values.count == 1 else {
        throw fault(node, "its input has \(values.count) numbers; one is expected")
      }
      try giveIntegers(node, values, isScalar: true)
    case "Concat":
      _ = try attributes(node, ["axis"]).integer("axis", standard: 0, 0, -1)
      var values: [Int?] = []
      for name in try inputs(node, 1...ONNXFile.largestIntegerCount) { values += try row(node, name).values }
      try giveIntegers(node, values, isScalar: false)
    case "Slice": try slice(node)
    case "Cast":
      _ = try attributes(node, ["to", "saturate"]).integer("to", standard: 7, 6, 7)
      let input = try row(node, try inputs(node, 1...1)[0])
      try giveIntegers(node, input.values, isScalar: input.isScalar)
    case "ConstantOfShape": try constantOfShape(node)
    default: try binary(node)
    }
  }

  mutating func giveIntegers(_ node: ONNXFile.Node, _ values: [Int?], isScalar: Bool) throws(ModelError) {
    guard values.count <= ONNXFile.largestIntegerCount else {
      throw fault(
        node, "it gives \(values.count) numbers; at most \(ONNXFile.largestIntegerCount) are expected")
    }
    let shape = isScalar ? [] : [values.count]
    try give(node, ONNXFile.Array(name: "", shape: shape, content: .integers(values)))
  }

  private func row(
    _ node: ONNXFile.Node, _ name: String
  ) throws(ModelError) -> (values: [Int?], isScalar: Bool) {
    let values = try sizes(node, name)
    let rank = try constant(node, name).shape.count
    guard rank <= 1 else {
      throw fault(node, "its input \(shown(name)) has \(rank) dimensions; one is expected")
    }
    return (values, rank == 0)
  }

  private mutating func shapeOperator(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(node, ["end", "start"])
    let name = try inputs(node, 1...1)[0]
    let whole: [Int?] =
      isConstant(name)
      ? try constant(node, name).shape : [nil] + (try shape(node, of: try value(node, name)))
    let start = place(try attributes.integer("start") ?? 0, in: whole.count)
    let end = place(try attributes.integer("end") ?? whole.count, in: whole.count)
    try giveIntegers(node, Array(whole[start..<max(start, end)]), isScalar: false)
  }

  private mutating func gather(_ node: ONNXFile.Node) throws(ModelError) {
    _ = try attributes(node, ["axis"]).integer("axis", standard: 0, 0, -1)
    let inputs = try inputs(node, 2...2)
    let values = try row(node, inputs[0]).values
    let indices = try integers(node, inputs[1])
    var found: [Int?] = []
    for index in indices {
      let place = index < 0 ? index &+ values.count : index
      guard values.indices.contains(place) else {
        throw fault(node, "it takes number \(index) of \(values.count)")
      }
      found.append(values[place])
    }
    try giveIntegers(node, found, isScalar: try row(node, inputs[1]).isScalar)
  }

  /// Up to version 12 axes are an attribute, then an input.
  private func expectFirstAxis(_ node: ONNXFile.Node, standard: Int?) throws(ModelError) {
    let attributes = try attributes(node, ["axes"])
    let inputs = try inputs(node, 1...2)
    let axes =
      inputs.count > 1
      ? try integers(node, inputs[1]) : try attributes.integers("axes") ?? standard.map { [$0] } ?? []
    guard axes == [0] || axes == [-1] else {
      throw fault(node, "its axes are \(axes.prefix(8)); [0] is expected of whole numbers")
    }
  }

  private mutating func slice(_ node: ONNXFile.Node) throws(ModelError) {
    let attributes = try attributes(node, ["axes", "ends", "starts"])
    let inputs = try inputs(node, 1...5)
    func numbers(_ place: Int, _ key: String) throws(ModelError) -> [Int]? {
      guard inputs.indices.contains(place), !inputs[place].isEmpty else {
        return try attributes.integers(key)
      }
      return try integers(node, inputs[place])
    }
    let values = try row(node, inputs[0]).values
    let axes = try numbers(3, "axes") ?? [0]
    let steps = try numbers(4, "steps") ?? [1]
    guard let starts = try numbers(1, "starts"), let ends = try numbers(2, "ends"), starts.count == 1,
      ends.count == 1, axes == [0] || axes == [-1], steps == [1]
    else { throw fault(node, "a start, an end, axis 0 and step 1 are expected of whole numbers") }
    let (start, end) = (place(starts[0], in: values.count), place(ends[0], in: values.count))
    try giveIntegers(node, Array(values[start..<max(start, end)]), isScalar: false)
  }

  /// Negative places count from the end; those beyond it are cut.
  private func place(_ index: Int, in count: Int) -> Int {
    max(0, min(count, index < 0 ? index &+ count : index))
  }

  private mutating func constantOfShape(_ node: ONNXFile.Node) throws(ModelError) {
    _ = try attributes(node, ["value"])
    let sizes = try integers(node, try inputs(node, 1...1)[0])
    guard case .array(let array)? = node.attributes["value"], case .integers(let value) = array.content,
      let number = value.first, value.count == 1
    else { throw fault(node, "its value is no whole number") }
    let count = sizes.first ?? 1
    guard sizes.count <= 1, (0...ONNXFile.largestIntegerCount).contains(count)
    else {
      throw fault(
        node, "its shape is \(shown(sizes)); at most \(ONNXFile.largestIntegerCount) numbers are expected")
    }
    try giveIntegers(node, [Int?](repeating: number, count: count), isScalar: sizes.isEmpty)
  }

  /// A sum, difference, product or quotient, number by number; one number goes with each of the other side.
  private mutating func binary(_ node: ONNXFile.Node) throws(ModelError) {
    _ = try attributes(node, [])
    let inputs = try inputs(node, 2...2)
    let (left, right) = (try row(node, inputs[0]), try row(node, inputs[1]))
    let count = max(left.values.count, right.values.count)
    guard [1, count].contains(left.values.count), [1, count].contains(right.values.count) else {
      throw fault(node, "its inputs have \(left.values.count) and \(right.values.count) numbers")
    }
    var results: [Int?] = []
    for place in 0..<count {
      let first = left.values[left.values.count == 1 ? 0 : place]
      let second = right.values[right.values.count == 1 ? 0 : place]
      results.append(try result(node, first, second))
    }
    try giveIntegers(node, results, isScalar: left.isScalar && right.isScalar)
  }

  private func result(_ node: ONNXFile.Node, _ first: Int?, _ second: Int?) throws(ModelError) -> Int? {
    let neutral = ["Add", "Sub"].contains(node.operation) ? 0 : 1
    guard let first, let second else {
      // The number of images stays what it is.
      let isSame = second == neutral || (first == neutral && ["Add", "Mul"].contains(node.operation))
      guard isSame else { throw fault(node, "what it computes depends on the number of images") }
      return nil
    }
    let (value, overflow) =
      switch node.operation {
      case "Add": first.addingReportingOverflow(second)
      case "Sub": first.subtractingReportingOverflow(second)
      case "Mul": first.multipliedReportingOverflow(by: second)
      default: first.dividedReportingOverflow(by: second)
      }
    guard !overflow else { throw fault(node, "\(first) and \(second) give no number of 64 bits") }
    return value
  }
}
