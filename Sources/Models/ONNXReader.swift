import Files

/// Reads the messages of a `.onnx` file, each by a method of its own: none lies in one of its kind, so depth has an end.
/// Field numbers are those of onnx/onnx.proto; fields of no interest (texts, sparse arrays, training) are passed over.
struct ONNXReader {
  private(set) var found = ONNXFile()
  var wire: WireCursor
  private var names: Set<String> = []

  init(_ wire: WireCursor) { self.wire = wire }

  mutating func readModel(_ file: borrowing InputFile) throws(ModelError) {
    var model = wire.root
    var hasGraph = false
    while let field = try wire.field(of: &model, file) {
      switch field.number {
      case 7:
        guard !hasGraph else { throw wire.fault("a second graph begins; one is expected", at: field.offset) }
        hasGraph = true
        try readGraph(try wire.message(field, "the graph"), file)
      case 8: try readVersion(try wire.message(field, "the operators' version"), file)
      default: break
      }
    }
    guard hasGraph else { throw wire.fault("this is no ONNX model: there is no graph") }
  }

  private mutating func readVersion(_ message: WireMessage, _ file: borrowing InputFile) throws(ModelError) {
    var message = message
    var (domain, version) = ("", 0)
    while let field = try wire.field(of: &message, file) {
      switch field.number {
      case 1: domain = try wire.text(field, "the operators' domain", file)
      case 2: version = try wire.integer(field, "the operators' version")
      default: break
      }
    }
    if ["", "ai.onnx"].contains(domain) { found.version = version }
  }

  private mutating func readGraph(_ message: WireMessage, _ file: borrowing InputFile) throws(ModelError) {
    var message = message
    while let field = try wire.field(of: &message, file) {
      switch field.number {
      case 1:
        try expectRoom(found.nodes.count, Symbol.largestNodeCount, "nodes", field)
        let node = try node(try wire.message(field, "a node"), file)
        found.nodes.append(node)
      case 5:
        try expectRoom(found.arrays.count, ParameterLayout.largestArrayCount, "arrays", field)
        let array = try array(try wire.message(field, "an array"), file)
        guard names.insert(array.name).inserted else {
          throw wire.fault("the array \(shown(array.name)) stands twice", at: field.offset)
        }
        found.arrays.append(array)
      case 11:
        try expectRoom(found.inputs.count, ParameterLayout.largestArrayCount, "inputs", field)
        let input = try input(try wire.message(field, "an input"), file)
        found.inputs.append(input)
      case 12:
        try expectRoom(found.outputs.count, ONNXFile.largestInputCount, "outputs", field)
        let output = try input(try wire.message(field, "an output"), file)
        found.outputs.append(output.name)
      default: break
      }
    }
  }

  private func expectRoom(
    _ count: Int, _ limit: Int, _ what: String, _ field: WireField
  ) throws(ModelError) {
    guard count < limit else {
      throw wire.fault("there are more than \(limit) \(what); no more are expected", at: field.offset)
    }
  }

  private mutating func node(
    _ message: WireMessage, _ file: borrowing InputFile
  ) throws(ModelError) -> ONNXFile.Node {
    var message = message
    var (name, operation, domain) = ("", "", "")
    var (inputs, outputs): ([String], [String]) = ([], [])
    var attributes: [String: ONNXFile.Attribute] = [:]
    while let field = try wire.field(of: &message, file) {
      switch field.number {
      case 1:
        try expectRoom(inputs.count, ONNXFile.largestInputCount, "inputs of a node", field)
        inputs.append(try wire.text(field, "an input's name", file))
      case 2:
        try expectRoom(outputs.count, ONNXFile.largestInputCount, "outputs of a node", field)
        outputs.append(try wire.text(field, "an output's name", file))
      case 3: name = try wire.text(field, "a node's name", file)
      case 4: operation = try wire.text(field, "an operator", file)
      case 5:
        try expectRoom(attributes.count, ONNXFile.largestInputCount, "attributes of a node", field)
        let (name, value) = try attribute(try wire.message(field, "an attribute"), file)
        guard attributes.updateValue(value, forKey: name) == nil else {
          throw wire.fault("the attribute \(shown(name)) stands twice", at: field.offset)
        }
      case 7: domain = try wire.text(field, "an operator's domain", file)
      default: break
      }
    }
    // Another domain's operators are others, whatever their names are.
    let prefix = ["", "ai.onnx"].contains(domain) ? "" : domain + "."
    return ONNXFile.Node(
      operation: prefix + operation, name: name.isEmpty ? outputs.first ?? "" : name, inputs: inputs,
      outputs: outputs, attributes: attributes)
  }

  private mutating func attribute(
    _ message: WireMessage, _ file: borrowing InputFile
  ) throws(ModelError) -> (String, ONNXFile.Attribute) {
    var message = message
    var name = ""
    var value: ONNXFile.Attribute?
    var type = 0
    var (integers, isWhole): ([Int], Bool) = ([], true)
    while let field = try wire.field(of: &message, file) {
      switch field.number {
      case 1: name = try wire.text(field, "an attribute's name", file)
      case 2:
        guard case .word(let bits) = field.value else {
          throw wire.fault("a number of four bytes is expected", at: field.offset)
        }
        value = .number(Float(bitPattern: bits))
      case 3: value = .integer(try wire.integer(field, "a number"))
      case 4:
        // Bytes, not always a text; long ones are no operator's choice.
        let bytes = try wire.message(field, "a text")
        value = bytes.byteCount <= 64 ? .text(try wire.text(field, "a text", file)) : .other
      case 5: value = .array(try array(try wire.message(field, "an array"), file))
      case 8:
        let fits = try wire.appendIntegers(
          field, to: &integers, limit: ONNXFile.largestIntegerCount, file)
        isWhole = isWhole && fits
        value = isWhole ? .integers(integers) : .other
      case 20: type = try wire.integer(field, "an attribute's type")
      case 6, 7, 9, 10, 11, 14, 15, 21, 22, 23: value = .other
      default: break
      }
    }
    // Some writers leave zeros out, and a list without numbers is never written.
    let none: ONNXFile.Attribute =
      switch type {
      case 1: .number(0)
      case 2: .integer(0)
      case 7: .integers([])
      default: .other
      }
    return (name, value ?? none)
  }

  private mutating func input(
    _ message: WireMessage, _ file: borrowing InputFile
  ) throws(ModelError) -> ONNXFile.Input {
    var message = message
    var name = ""
    var (type, shape): (Int, [Int?]) = (0, [])
    while let field = try wire.field(of: &message, file) {
      switch field.number {
      case 1: name = try wire.text(field, "an input's name", file)
      case 2:
        var kinds = try wire.message(field, "an input's type")
        while let field = try wire.field(of: &kinds, file) {
          guard field.number == 1 else { continue }
          (type, shape) = try tensorType(try wire.message(field, "an input's type"), file)
        }
      default: break
      }
    }
    return ONNXFile.Input(name: name, type: type, shape: shape)
  }

  private mutating func tensorType(
    _ message: WireMessage, _ file: borrowing InputFile
  ) throws(ModelError) -> (Int, [Int?]) {
    var message = message
    var (type, shape): (Int, [Int?]) = (0, [])
    while let field = try wire.field(of: &message, file) {
      switch field.number {
      case 1: type = try wire.integer(field, "an input's type")
      case 2:
        var sizes = try wire.message(field, "an input's shape")
        while let field = try wire.field(of: &sizes, file) {
          guard field.number == 1 else { continue }
          try expectRoom(shape.count, ParameterLayout.largestRank, "dimensions of an input", field)
          shape.append(try size(try wire.message(field, "a dimension"), file))
        }
      default: break
      }
    }
    return (type, shape)
  }

  /// nil where it is open: a name, or nothing.
  private mutating func size(
    _ message: WireMessage, _ file: borrowing InputFile
  ) throws(ModelError) -> Int? {
    var message = message
    var size: Int?
    while let field = try wire.field(of: &message, file) {
      if field.number == 1 { size = try wire.integer(field, "a dimension") }
    }
    return size.flatMap { $0 >= 1 ? $0 : nil }
  }
}
