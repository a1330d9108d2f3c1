import Files

/// The contents of an `.onnx` file (onnx/onnx.proto): nodes, arrays and inputs, not interpreted yet. The numbers of the
/// arrays are not read.
struct ONNXFile {
  struct Node {
    let operation: String
    /// The name of its first output where the file gives the node none.
    let name: String
    /// An empty name stands for an omitted input.
    let inputs: [String], outputs: [String]
    let attributes: [String: Attribute]
  }
  enum Attribute {
    case number(Float)
    case integer(Int)
    case integers([Int])
    case text(String)
    case array(Array)
    /// A type that no operator of a ResNet uses.
    case other
  }
  struct Array {
    enum Content {
      case numbers(ElementType, offset: Int)
      /// A shape or axes: at most `largestIntegerCount` numbers. nil stands for the batch size.
      case integers([Int?])
      /// A type that no operator of a ResNet uses.
      case other
    }
    let name: String
    let shape: [Int]
    let content: Content
  }
  struct Input {
    let name: String
    /// An index of `types`.
    let type: Int
    /// nil for a dimension that the file leaves open; empty where there is no shape.
    let shape: [Int?]
  }
  var nodes: [Node] = []
  var arrays: [Array] = []
  /// Without those that only name one of the arrays.
  var inputs: [Input] = []
  var outputs: [String] = []
  /// The version of the operator set; 0 where the file gives none.
  var version = 0

  /// The sizes of int32, int64 and bool.
  static let integerByteCounts = [6: 4, 7: 8, 9: 1]
  static let largestIntegerCount = 64
  static let largestInputCount = 1024

  /// onnx.proto's TensorProto.DataType.
  static let types = [
    "undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16",
    "double", "uint32", "uint64", "complex64", "complex128", "bfloat16",
  ]

  static func typeName(_ type: Int) -> String {
    types.indices.contains(type) ? types[type] : "numbers of type \(type)"
  }

  static func elementType(_ type: Int) -> ElementType? {
    switch type {
    case 1: .float32
    case 10: .float16
    case 11: .float64
    case 16: .bfloat16
    default: nil
    }
  }

  /// - Throws: with the byte offset, where the file is not such a message or is truncated; where an array is stored in
  ///   another file or does not have the bytes of its shape; where a name appears twice.
  init(_ file: borrowing InputFile, label: String) throws(ModelError) {
    var reader = ONNXReader(WireCursor(file, label: label))
    try reader.readModel(file)
    self = reader.found
    let names = Set(arrays.map(\.name))
    inputs.removeAll { names.contains($0.name) }
  }

  /// An empty file.
  init() {}

  /// Channels, height, width of an image; nil for each that the file leaves open.
  ///
  /// - Throws: where the network's input is not a batch of images.
  func imageShape(label: String) throws(ModelError) -> [Int?] {
    guard inputs.count == 1, let image = inputs.first else {
      throw ModelError(
        "\(label): it takes \(inputs.count) inputs (\(shortList(inputs.map { shown($0.name) }))); one, the image, is expected"
      )
    }
    guard [1, 10, 11, 16].contains(image.type) else {
      throw ModelError(
        "\(label): the input \(shown(image.name)) is \(Self.typeName(image.type)); float is expected")
    }
    guard image.shape.count == 4 else {
      throw ModelError(
        "\(label): the input \(shown(image.name)) has \(image.shape.count) dimensions; batch, channels, height and "
          + "width are expected")
    }
    return [Int?](image.shape.dropFirst())
  }
}

/// Reads the messages of an `.onnx` file, each kind by a method of its own. None of these contains its own kind, so the
/// depth is bounded. Field numbers are those of onnx/onnx.proto; fields of no use here (documentation, sparse arrays,
/// training) are skipped.
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
    guard hasGraph else { throw wire.fault("this is not an ONNX model: there is no graph") }
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
          throw wire.fault("the array \(shown(array.name)) appears twice", at: field.offset)
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
      throw wire.fault("there are more than \(limit) \(what)", at: field.offset)
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
          throw wire.fault("the attribute \(shown(name)) appears twice", at: field.offset)
        }
      case 7: domain = try wire.text(field, "an operator's domain", file)
      default: break
      }
    }
    // An operator of another domain is another one, even where the name is the same.
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
        // Bytes, not always text; no operator has choices as long as these.
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
    // Some writers omit zeros, and an empty list is never written.
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

  /// A dimension; nil where the file leaves it open, with a name or nothing in its place.
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

extension ONNXReader {
  /// A TensorProto. Its numbers stay in the file, but for short lists of integers, which may be shapes.
  mutating func array(
    _ message: WireMessage, _ file: borrowing InputFile
  ) throws(ModelError) -> ONNXFile.Array {
    let start = message.next
    var message = message
    var (name, type): (String, Int) = ("", 0)
    var (shape, integers): ([Int], [Int]) = ([], [])
    var words: [UInt8] = []
    var (isWhole, isOutside): (Bool, Bool) = (true, false)
    var data: (field: Int, bytes: WireMessage)?
    while let field = try wire.field(of: &message, file) {
      switch field.number {
      case 1:
        guard
          try wire.appendIntegers(field, to: &shape, limit: ParameterLayout.largestRank, file)
        else {
          throw wire.fault(
            "an array has more than \(ParameterLayout.largestRank) dimensions", at: field.offset)
        }
      case 2: type = try wire.integer(field, "an array's type")
      case 5, 7:
        let fits = try wire.appendIntegers(
          field, to: &integers, limit: ONNXFile.largestIntegerCount, file)
        isWhole = isWhole && fits
      case 8: name = try wire.text(field, "an array's name", file)
      case 4, 9, 10:
        guard data == nil, case .bytes(let bytes) = field.value else {
          throw wire.fault("an array's numbers are in several pieces; one is expected", at: field.offset)
        }
        data = (field.number, bytes)
        // Short data may be a shape: that is clear when the type is known.
        if bytes.byteCount <= 8 * ONNXFile.largestIntegerCount { words = try wire.bytes(of: bytes, file) }
      case 13: isOutside = true
      case 14: isOutside = try wire.integer(field, "an array's place") != 0 || isOutside
      default: break
      }
    }
    func fault(_ sentence: String) -> ModelError {
      wire.fault("the array \(shown(name)) \(sentence)", at: start)
    }
    guard !isOutside else {
      throw fault("is stored in another file; a model with its weights in one file is expected")
    }
    guard shape.allSatisfy({ $0 >= 0 }), let count = checkedProduct(shape) else {
      throw fault("has the shape \(shown(shape)), which is larger than any file")
    }
    if let byteCount = ONNXFile.integerByteCounts[type] {
      let values = integers.isEmpty ? wholeNumbers(words, byteCount: byteCount) : integers
      return ONNXFile.Array(
        name: name, shape: shape, content: isWhole && values.count == count ? .integers(values) : .other)
    }
    guard let element = ONNXFile.elementType(type), count > 0 else {
      return ONNXFile.Array(name: name, shape: shape, content: .other)
    }
    // float_data, double_data and raw_data are all packed little-endian numbers.
    let fields = [ElementType.float32: [4, 9], .float64: [9, 10]][element] ?? [9]
    guard let data, fields.contains(data.field) else {
      throw fault("has no bytes of its type, \(ONNXFile.typeName(type)); raw_data is expected")
    }
    guard checkedProduct([count, element.byteCount]) == data.bytes.byteCount else {
      throw fault("has \(data.bytes.byteCount) bytes, which does not match its shape, \(shown(shape))")
    }
    return ONNXFile.Array(name: name, shape: shape, content: .numbers(element, offset: data.bytes.next))
  }
}

/// Packed little-endian signed integers.
private func wholeNumbers(_ bytes: [UInt8], byteCount: Int) -> [Int] {
  stride(from: 0, to: bytes.count - bytes.count % byteCount, by: byteCount).map { start in
    let bits = (0..<byteCount).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[start + $1]) }
    let unused = UInt64(64 - 8 * byteCount)
    return Int(truncatingIfNeeded: Int64(bitPattern: bits << unused) >> unused)
  }
}
