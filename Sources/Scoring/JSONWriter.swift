extension Score {
  /// Writes the score as JSON, a piece at a time, so that a million predictions need no memory for their text.
  ///
  /// Keys stand in the order of the schema, numbers in the shortest form that reads back to the same value; the same
  /// value gives the same bytes. The two outermost levels have an element a line.
  /// - Parameter sink: takes the UTF-8 text, in pieces of about 64 KB.
  /// - Throws: what `sink` throws.
  public func writeJSON(_ sink: ([UInt8]) throws -> Void) throws { try JSONWriter.write(self, to: sink) }
}

extension Comparison {
  /// As `Score.writeJSON`.
  public func writeJSON(_ sink: ([UInt8]) throws -> Void) throws { try JSONWriter.write(self, to: sink) }
}

/// An encoder that writes at once instead of building a tree.
///
/// Containers are closed when their parent goes on, or at the end: the order of synthesised and hand-written
/// `encode(to:)`, which never go back to a container they have left.
final class JSONWriter {
  private let sink: ([UInt8]) throws -> Void
  private var text = JSONText(capacity: chunkByteCount + 1024)
  /// What a container has failed with whose protocol cannot throw.
  private var failure: (any Error)?
  private static let chunkByteCount = 1 << 16

  private init(_ sink: @escaping ([UInt8]) throws -> Void) { self.sink = sink }

  static func write(_ value: some Encodable, to sink: ([UInt8]) throws -> Void) throws {
    try withoutActuallyEscaping(sink) { sink in
      let writer = JSONWriter(sink)
      try writer.write(value)
      try writer.finish()
    }
  }

  private func finish() throws {
    text.close(to: 0)
    append("\n")
    if let failure { throw failure }
    try sink(text.bytes)
  }

  func begin(_ kind: JSONText.Kind) -> Int { text.begin(kind) }

  /// Begins an element of the container at this depth.
  func element(at depth: Int, key: String? = nil) { change { $0.element(at: depth, key: key) } }

  func append(_ word: StaticString) { change { $0.append(word) } }

  func append(number: String) { change { $0.append(number: number) } }

  func append(string: String) { change { $0.append(string: string) } }

  @inline(__always)
  private func change(_ body: (inout JSONText) -> Void) {
    let isFull = { (text: inout JSONText) in
      body(&text)
      return text.bytes.count >= Self.chunkByteCount
    }(&text)
    guard isFull else { return }
    do {
      if failure == nil { try sink(text.bytes) }
    } catch {
      failure = error
    }
    text.removeAll()
  }

  func write<Value: Encodable>(_ value: Value) throws {
    if let failure { throw failure }
    // Types are compared first: a cast that fails takes longer than all that is written.
    if Value.self == String.self, let value = value as? String {
      append(string: value)
    } else if Value.self == Double.self, let value = value as? Double {
      try write(value)
    } else if Value.self == Int.self || Value.self == Int32.self || Value.self == UInt64.self,
      let value = value as? any BinaryInteger
    {
      append(number: String(value))
    } else if Value.self == Bool.self, let value = value as? Bool {
      append(value ? "true" : "false")
    } else {
      try value.encode(to: JSONEncoding(writer: self))
    }
  }

  func write(_ value: Double) throws {
    guard value.isFinite else {
      throw EncodingError.invalidValue(
        value, .init(codingPath: [], debugDescription: "\(value) is not a number of JSON"))
    }
    append(number: value.description)
  }
}
