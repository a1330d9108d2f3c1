import Files

extension ONNXReader {
  /// A TensorProto: its numbers stay in the file, but for few whole ones, which may be a shape.
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
          throw wire.fault("an array's numbers are in pieces; all in one are expected", at: field.offset)
        }
        data = (field.number, bytes)
        // Short ones may be a shape: what they are is known when the type is.
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
      throw fault("stands in a file of its own; a model with its weights in one file is expected")
    }
    guard shape.allSatisfy({ $0 >= 0 }), let count = checkedProduct(shape) else {
      throw fault("has the shape \(shown(shape)), which is more than any file has")
    }
    if let byteCount = ONNXFile.integerByteCounts[type] {
      let values = integers.isEmpty ? wholeNumbers(words, byteCount: byteCount) : integers
      return ONNXFile.Array(
        name: name, shape: shape, content: isWhole && values.count == count ? .integers(values) : .other)
    }
    guard let kind = ONNXFile.numberKind(type), count > 0 else {
      return ONNXFile.Array(name: name, shape: shape, content: .other)
    }
    // float_data, double_data, raw_data: little-endian numbers one behind the other, all three.
    let fields = [NumberKind.float32: [4, 9], .float64: [9, 10]][kind] ?? [9]
    guard let data, fields.contains(data.field) else {
      throw fault("has no bytes of its type, \(ONNXFile.typeName(type)); raw_data is expected")
    }
    guard checkedProduct([count, kind.byteCount]) == data.bytes.byteCount else {
      throw fault("has \(data.bytes.byteCount) bytes, which is not what the shape \(shown(shape)) takes")
    }
    return ONNXFile.Array(name: name, shape: shape, content: .numbers(kind, offset: data.bytes.next))
  }
}

/// Little-endian numbers with a sign, one behind the other.
private func wholeNumbers(_ bytes: [UInt8], byteCount: Int) -> [Int] {
  stride(from: 0, to: bytes.count - bytes.count % byteCount, by: byteCount).map { start in
    let bits = (0..<byteCount).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[start + $1]) }
    let unused = UInt64(64 - 8 * byteCount)
    return Int(truncatingIfNeeded: Int64(bitPattern: bits << unused) >> unused)
  }
}
