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

  /// A size that is nil is open.
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
