import Files

extension ONNXGraph {
  /// Writes the graph as an `.onnx` file (onnx/onnx.proto, ir_version 8), which appears under its name when it is complete.
  ///
  /// - Parameters:
  ///   - metadata: texts for `metadata_props`, in this order, such as names of classes.
  ///   - version: `producer_version`, after the producer imrec.
  /// - Precondition: `finish` was called.
  /// - Throws: where a parameter cannot be read, the file cannot be written, or it would have 2 GiB or more, which Protocol
  ///   Buffers do not allow; the path then keeps what it held.
  /// - Complexity: one array is in memory at a time, of those whose numbers are read from parameters.
  public func write(
    _ path: String, metadata: [(key: String, value: String)] = [], version: String = ""
  ) throws(ModelError) {
    precondition(!output.name.isEmpty, "a graph is finished before it is written")
    var head = WireMessageBytes()
    head.append(1, 8)
    head.append(2, "imrec")
    if !version.isEmpty { head.append(3, version) }
    var operators = WireMessageBytes()
    operators.append(1, "")
    operators.append(2, 17)
    var tail = WireMessageBytes()
    tail.append(8, operators)
    for (key, value) in metadata {
      var pair = WireMessageBytes()
      pair.append(1, key)
      pair.append(2, value)
      tail.append(14, pair)
    }
    let (first, last) = (nodeBytes, endBytes)
    let headers = arrays.map(Self.header)
    var byteCount = first.bytes.count + last.bytes.count
    for (array, header) in zip(arrays, headers) { byteCount += header.bytes.count + array.byteCount }
    head.appendHeader(7, byteCount: byteCount)
    guard head.bytes.count + byteCount + tail.bytes.count <= Int(Int32.max) else {
      throw ModelError("\(path): it would have \(byteCount) bytes; an ONNX file has less than 2147483648")
    }
    var file: StagedFile
    do { file = try StagedFile(path) } catch { throw ModelError(error) }
    if let failure = append(head: head, first, headers, last, tail: tail, to: &file) {
      file.discard()
      throw failure
    }
    do { try file.publish() } catch { throw ModelError(error) }
  }

  // A function of its own, as a `catch` cannot have a consumed file in its scope.
  private func append(
    head: WireMessageBytes, _ first: WireMessageBytes, _ headers: [WireMessageBytes],
    _ last: WireMessageBytes, tail: WireMessageBytes, to file: inout StagedFile
  ) -> ModelError? {
    do {
      try file.append(head.bytes.span)
      try file.append(first.bytes.span)
      for (array, header) in zip(arrays, headers) {
        try file.append(header.bytes.span)
        try array.append(to: &file)
      }
      try file.append(last.bytes.span)
      try file.append(tail.bytes.span)
      return nil
    } catch let error as ModelError { return error } catch let error as FileError {
      return ModelError(error)
    } catch { return ModelError("\(error)") }
  }

  /// The nodes and the graph's name.
  private var nodeBytes: WireMessageBytes {
    var bytes = WireMessageBytes()
    for node in nodes { bytes.append(1, Self.bytes(node)) }
    bytes.append(2, "network")
    return bytes
  }

  private static func bytes(_ node: Node) -> WireMessageBytes {
    var bytes = WireMessageBytes()
    for input in node.inputs { bytes.append(1, input) }
    bytes.append(2, node.output)
    bytes.append(3, node.name)
    bytes.append(4, node.operation)
    for (key, value) in node.attributes {
      var attribute = WireMessageBytes()
      attribute.append(1, key)
      switch value {
      case .number(let number):
        attribute.append(2, number)
        attribute.append(20, 1)
      case .integer(let number):
        attribute.append(3, number)
        attribute.append(20, 2)
      case .integers(let numbers):
        for number in numbers { attribute.append(8, number) }
        attribute.append(20, 7)
      }
      bytes.append(5, attribute)
    }
    return bytes
  }

  /// All of an array's field but its numbers, which follow.
  private static func header(_ array: Array) -> WireMessageBytes {
    var tensor = WireMessageBytes()
    for size in array.shape { tensor.append(1, size) }
    tensor.append(2, array.type)
    tensor.append(8, array.name)
    tensor.appendHeader(9, byteCount: array.byteCount)
    var field = WireMessageBytes()
    field.appendHeader(5, byteCount: tensor.bytes.count + array.byteCount)
    field.bytes += tensor.bytes
    return field
  }

  /// The graph's input and output.
  private var endBytes: WireMessageBytes {
    var bytes = WireMessageBytes()
    bytes.append(11, Self.bytes(image.name, inputShape))
    bytes.append(12, Self.bytes(output.name, [output.count]))
    return bytes
  }

  /// A value of floats whose first dimension is the batch size.
  private static func bytes(_ name: String, _ shape: [Int]) -> WireMessageBytes {
    var sizes = WireMessageBytes()
    var size = WireMessageBytes()
    size.append(2, "N")
    sizes.append(1, size)
    for number in shape {
      size = WireMessageBytes()
      size.append(1, number)
      sizes.append(1, size)
    }
    var tensor = WireMessageBytes()
    tensor.append(1, 1)
    tensor.append(2, sizes)
    var type = WireMessageBytes()
    type.append(1, tensor)
    var value = WireMessageBytes()
    value.append(1, name)
    value.append(2, type)
    return value
  }
}

extension ONNXGraph.Array {
  /// TensorProto.DataType: an index of `ONNXFile.types`.
  fileprivate var type: Int {
    switch numbers {
    case .float, .parameter: 1
    case .uint8: 2
    case .int8: 3
    case .int32: 6
    }
  }

  fileprivate var byteCount: Int {
    switch numbers {
    case .float, .parameter, .int32: 4 * shape.reduce(1, *)
    case .uint8, .int8: shape.reduce(1, *)
    }
  }

  fileprivate func append(to file: inout StagedFile) throws {
    switch numbers {
    case .float(let values): try append(values, to: &file)
    case .int8(let values): try append(values, to: &file)
    case .uint8(let values): try append(values, to: &file)
    case .int32(let values): try append(values, to: &file)
    case .parameter(let parameters, let name, let scale):
      var values = try parameters.values(of: name)
      if let scale, !scale.isEmpty {
        let length = values.count / scale.count
        for (row, factor) in scale.enumerated() {
          for index in row * length..<(row + 1) * length { values[index] *= factor }
        }
      }
      try append(values, to: &file)
    }
  }

  private func append(_ values: [some BitwiseCopyable], to file: inout StagedFile) throws {
    precondition(values.count == shape.reduce(1, *), "numbers for the shape of \(name)")
    try unsafe values.withUnsafeBytes { try unsafe file.append(Span(_unsafeBytes: $0)) }
  }
}

/// The bytes of a message of Protocol Buffers, field by field.
private struct WireMessageBytes {
  var bytes: [UInt8] = []

  private mutating func append(_ number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  mutating func append(_ field: Int, _ number: Int) {
    append(UInt64(field) << 3)
    append(UInt64(bitPattern: Int64(number)))
  }

  mutating func append(_ field: Int, _ number: Float) {
    append(UInt64(field) << 3 | 5)
    for shift in stride(from: UInt32(0), to: 32, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: number.bitPattern >> shift))
    }
  }

  mutating func append(_ field: Int, _ text: String) {
    appendHeader(field, byteCount: text.utf8.count)
    bytes += text.utf8
  }

  mutating func append(_ field: Int, _ message: WireMessageBytes) {
    appendHeader(field, byteCount: message.bytes.count)
    bytes += message.bytes
  }

  /// Begins a field of bytes, which follow.
  mutating func appendHeader(_ field: Int, byteCount: Int) {
    append(UInt64(field) << 3 | 2)
    append(UInt64(byteCount))
  }
}
