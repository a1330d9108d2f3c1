/// Makes the bytes of `.onnx` files, sound ones and damaged ones: messages of fields (onnx/onnx.proto).
enum ONNXBytes {
  static func varint(_ value: Int) -> [UInt8] {
    var rest = UInt64(bitPattern: Int64(value))
    var bytes: [UInt8] = []
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  static func field(_ number: Int, _ value: Int) -> [UInt8] { varint(number << 3) + varint(value) }

  static func field(_ number: Int, _ bytes: some Collection<UInt8>) -> [UInt8] {
    varint(number << 3 | 2) + varint(bytes.count) + bytes
  }

  static func field(_ number: Int, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

  static func bytes(_ values: [Float]) -> [UInt8] {
    values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
  }

  /// - Parameter data: fields of the numbers; nil: as many zeros as the shape takes.
  static func array(_ name: String, _ shape: [Int], type: Int = 1, data: [UInt8]? = nil) -> [UInt8] {
    let data = data ?? field(9, [UInt8](repeating: 0, count: 4 * shape.reduce(1, *)))
    return shape.flatMap { field(1, $0) } + field(2, type) + field(8, name) + data
  }

  static func integers(_ name: String, _ values: [Int]) -> [UInt8] {
    array(name, [values.count], type: 7, data: field(7, values.flatMap(varint)))
  }

  /// - Parameter shape: nil for a dimension that is left open.
  static func input(_ name: String, _ shape: [Int?], type: Int = 1) -> [UInt8] {
    let sizes = shape.flatMap { field(1, $0.map { field(1, $0) } ?? field(2, "N")) }
    return field(1, name) + field(2, field(1, field(1, type) + field(2, sizes)))
  }

  enum Value {
    case integer(Int)
    case integers([Int])
    case number(Float)
    case text(String)
    case array([UInt8])
  }

  static func node(
    _ operation: String, _ inputs: [String], _ output: String, _ attributes: [(String, Value)] = [],
    name: String = "", domain: String = ""
  ) -> [UInt8] {
    var bytes = inputs.flatMap { field(1, $0) } + field(2, output)
    if !name.isEmpty { bytes += field(3, name) }
    bytes += field(4, operation)
    if !domain.isEmpty { bytes += field(7, domain) }
    for (name, value) in attributes {
      let content =
        switch value {
        case .integer(let value): field(3, value) + field(20, 2)
        case .integers(let values): values.flatMap { field(8, $0) } + field(20, 7)
        case .number(let value): varint(2 << 3 | 5) + Self.bytes([value]) + field(20, 1)
        case .text(let text): field(4, text) + field(20, 3)
        case .array(let array): field(5, array) + field(20, 4)
        }
      bytes += field(5, field(1, name) + content)
    }
    return bytes
  }

  static func model(
    _ nodes: [[UInt8]], arrays: [[UInt8]], inputs: [[UInt8]] = [input("x", [nil, 3, 9, 7])],
    outputs: [String] = ["y"], version: Int = 17
  ) -> [UInt8] {
    var graph = nodes.flatMap { field(1, $0) }
    graph += arrays.flatMap { field(5, $0) }
    graph += inputs.flatMap { field(11, $0) }
    graph += outputs.flatMap { field(12, input($0, [])) }
    return field(1, 8) + field(2, "tests") + field(7, graph) + field(8, field(1, "") + field(2, version))
  }
}

/// Makes the bytes of `.params` files, sound ones and damaged ones.
struct ParameterBytes {
  struct Array {
    /// 0 to 3.
    var version = 2
    var shape: [Int] = [2]
    var type = 0
    var storage = 0
    var data: [UInt8] = Swift.Array(repeating: 0, count: 8)
  }
  var magic = 0x112
  var arrays: [Array] = [Array()]
  var names = ["arg:a"]
  /// Counts that are written instead of the true ones.
  var arrayCount: Int?, nameCount: Int?
  var after: [UInt8] = []

  var bytes: [UInt8] {
    number(magic, 8) + number(0, 8) + number(arrayCount ?? arrays.count, 8) + arrays.flatMap(bytes)
      + number(nameCount ?? names.count, 8)
      + names.flatMap { number($0.utf8.count, 8) + Swift.Array($0.utf8) } + after
  }

  private func bytes(_ array: Array) -> [UInt8] {
    var bytes: [UInt8] = []
    if array.version > 0 { bytes += number(0xF993_FAC7 + array.version, 4) }
    if array.version > 1 { bytes += number(array.storage, 4) }
    bytes += number(array.shape.count, 4)
    bytes += array.shape.flatMap { number($0, array.version > 0 ? 8 : 4) }
    return bytes + number(2, 4) + number(1, 4) + number(array.type, 4) + array.data
  }
}

func number(_ value: Int, _ byteCount: Int) -> [UInt8] {
  (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}

func bytes(hexadecimal text: String) -> [UInt8] {
  let digits = text.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue ?? 0) }
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// The error that a call throws, as a user reads it; "nothing" where it throws nothing.
func message(_ call: () throws -> Void) -> String {
  do {
    try call()
    return "nothing"
  } catch { return "\(error)" }
}

/// Makes the text of a small `symbol.json`.
struct SymbolText {
  struct Node {
    var operation: String
    var name: String
    var attributes: [String: String] = [:]
    var inputs: [[Int]] = []
  }
  var nodes: [Node] = []
  var heads: [[Int]]?
  /// What the attributes are called: `attrs`, `attr` or `param`.
  var key = "attrs"

  /// Adds a variable, returns its number.
  mutating func variable(_ name: String) -> Int { add("null", name, [:], []) }

  @discardableResult
  mutating func add(_ operation: String, _ name: String, _ attributes: [String: String], _ inputs: [Int])
    -> Int
  {
    nodes.append(
      .init(operation: operation, name: name, attributes: attributes, inputs: inputs.map { [$0, 0, 0] }))
    return nodes.count - 1
  }

  var json: String {
    let nodes = nodes.map { node in
      let attributes = node.attributes.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \"\($0.value)\"" }
      return """
        {"op": "\(node.operation)", "name": "\(node.name)", "\(key)": {\(attributes.joined(separator: ", "))}, \
        "inputs": \(node.inputs)}
        """
    }
    let heads = heads ?? [[self.nodes.count - 1, 0, 0]]
    return "{\"nodes\": [\(nodes.joined(separator: ",\n"))], \"heads\": \(heads)}"
  }

  /// The image and one operator, with variables for its other inputs.
  static func one(
    _ operation: String, _ attributes: [String: String] = [:], parameters: [String] = [], flat: Bool = false
  ) -> SymbolText {
    var text = SymbolText()
    var input = text.variable("data")
    if flat { input = text.add("Flatten", "flat", [:], [input]) }
    let inputs = parameters.map { text.variable($0) }
    text.add(operation, "x", attributes, [input] + inputs)
    return text
  }
}
