import Files

/// How a number is stored in a file.
enum NumberKind: Hashable, Sendable {
  case float32, float64, float16, bfloat16

  var byteCount: Int {
    switch self {
    case .float64: 8
    case .float32: 4
    case .float16, .bfloat16: 2
    }
  }
}

/// An open file with named arrays somewhere in it. Where they are is known and fits the file's size; the numbers are
/// read when they are asked for, so that a model is in memory once only.
///
/// Any thread may read: each call brings its own offset.
final class ArrayFile: @unchecked Sendable {
  struct Entry: Hashable, Sendable {
    let shape: [Int]
    let kind: NumberKind
    /// Of the first number.
    let offset: Int
    /// The product of `shape`.
    let count: Int
    /// Whether the file has the columns of the two dimensions of `shape` as its rows.
    var isTransposed = false
  }
  let entries: [String: Entry]
  private let label: String
  private let file: InputFile
  private static let chunkByteCount = 1 << 16

  init(_ file: consuming InputFile, label: String, entries: [String: Entry]) {
    self.file = file
    self.label = label
    self.entries = entries
  }

  /// The numbers of one array in single precision, row by row of its shape.
  func values(of entry: Entry) throws(ModelError) -> [Float] {
    var failure: ModelError?
    let values = unsafe [Float](unsafeUninitializedCapacity: entry.count) { buffer, initialized in
      do throws(ModelError) {
        if entry.kind == .float32 {
          var raw = unsafe MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(buffer))
          try read(at: entry.offset, into: &raw)
        } else {
          var span = unsafe MutableSpan(_unsafeElements: buffer)
          try convert(entry, into: &span)
        }
        initialized = entry.count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    // Else one array could be of this version of the file, the next of another.
    guard file.isUnchanged() else { throw ModelError("\(label): it was changed while it was being read") }
    return entry.isTransposed ? transposed(values, rows: entry.shape[0]) : values
  }

  private func transposed(_ values: [Float], rows: Int) -> [Float] {
    let columns = values.count / rows
    return unsafe [Float](unsafeUninitializedCapacity: values.count) { buffer, initialized in
      for row in 0..<rows {
        for column in 0..<columns { unsafe buffer[row * columns + column] = values[column * rows + row] }
      }
      initialized = values.count
    }
  }

  private func convert(_ entry: Entry, into values: inout MutableSpan<Float>) throws(ModelError) {
    let size = entry.kind.byteCount
    let chunkCount = min(entry.count, Self.chunkByteCount / size)
    var done = 0
    while done < entry.count {
      var chunk = [UInt8](repeating: 0, count: min(entry.count - done, chunkCount) * size)
      var span = chunk.mutableSpan
      var raw = unsafe span.mutableBytes
      try read(at: entry.offset + done * size, into: &raw)
      let bytes = unsafe chunk.span.bytes
      for place in stride(from: 0, to: chunk.count, by: size) {
        values[done + place / size] = number(bytes, at: place, entry.kind)
      }
      done += chunk.count / size
    }
  }

  private func number(_ bytes: RawSpan, at offset: Int, _ kind: NumberKind) -> Float {
    // Each is a number whatever its bits are, and `offset` counts whole ones of a chunk.
    func bits<Word: FixedWidthInteger & BitwiseCopyable>(_: Word.Type) -> Word {
      Word(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Word.self))
    }
    return switch kind {
    case .float32: Float(bitPattern: bits(UInt32.self))
    case .float64: Float(Double(bitPattern: bits(UInt64.self)))
    case .float16: Float(Float16(bitPattern: bits(UInt16.self)))
    case .bfloat16: Float(bitPattern: UInt32(bits(UInt16.self)) << 16)
    }
  }

  private func read(at offset: Int, into bytes: inout MutableRawSpan) throws(ModelError) {
    let wanted = bytes.byteCount
    let got: Int
    do { got = try file.read(at: offset, into: &bytes) } catch {
      throw ModelError("\(label): \(error.sentence)")
    }
    guard got == wanted else { throw ModelError("\(label): it was cut while it was being read") }
  }
}
