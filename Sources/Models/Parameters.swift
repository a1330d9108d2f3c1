import Files

/// The arrays of a model by name, without MXNet's `arg:` and `aux:`; converted to single precision when they are read.
public struct Parameters: Sendable {
  /// One array in memory.
  public struct Array: Hashable, Sendable {
    /// One dimension or more.
    public let shape: [Int]
    /// As many as the product of `shape`, row-major.
    public let values: [Float]

    /// - Parameter values: as many as the product of `shape`; this is not checked.
    public init(shape: [Int], values: [Float]) {
      self.shape = shape
      self.values = values
    }
  }
  private enum Storage {
    case memory([String: Array])
    case file(ArrayFile)
  }
  private let storage: Storage

  /// Parameters whose arrays are in memory already.
  public init(_ arrays: [String: Array]) { storage = .memory(arrays) }

  /// Opens MXNet's `.params` file. The file stays open: its arrays are read on demand.
  ///
  /// - Throws: with the byte offset, where the file is not such a list, is truncated or goes on after the list; where an
  ///   array is sparse, empty, or of a type other than float32, float64 and float16; where a name appears twice.
  /// - Complexity: O(arrays); the numbers are not read.
  public init(file path: String) throws(ModelError) {
    self.init(try ParameterFile.open(try openFile(path), label: path))
  }

  init(_ file: ArrayFile) { storage = .file(file) }

  /// The names of all arrays, sorted.
  public var names: [String] {
    switch storage {
    case .memory(let arrays): arrays.keys.sorted()
    case .file(let file): file.entries.keys.sorted()
    }
  }

  /// The shape of an array; nil where there is no array of this name.
  public func shape(of name: String) -> [Int]? {
    switch storage {
    case .memory(let arrays): arrays[name]?.shape
    case .file(let file): file.entries[name]?.shape
    }
  }

  /// The numbers of one array, row-major; read from the file anew each time, so that a model is never in memory twice.
  ///
  /// - Throws: where there is no such array, or the file can no longer be read or was changed.
  public func values(of name: String) throws(ModelError) -> [Float] {
    switch storage {
    case .memory(let arrays): if let array = arrays[name] { return array.values }
    case .file(let file): if let entry = file.entries[name] { return try file.values(of: entry) }
    }
    throw ModelError("there is no parameter \(shown(name))")
  }

  /// Reads all arrays into memory.
  ///
  /// - Throws: what `values(of:)` throws.
  public func arraysInMemory() throws(ModelError) -> [String: Array] {
    var arrays: [String: Array] = [:]
    for name in names {
      arrays[name] = Array(shape: shape(of: name) ?? [], values: try values(of: name))
    }
    return arrays
  }

  /// The names of the arrays that hold NaN or infinity: a network with one may answer NaN to every image.
  ///
  /// - Throws: what `values(of:)` throws.
  /// - Complexity: reads every number.
  public func nonFiniteNames() throws(ModelError) -> [String] {
    var found: [String] = []
    for name in names where try values(of: name).contains(where: { !$0.isFinite }) { found.append(name) }
    return found
  }
}

func openFile(_ path: String) throws(ModelError) -> InputFile {
  do { return try InputFile(path) } catch { throw ModelError(error) }
}

/// The data type of an array's numbers in a file.
enum ElementType: Hashable, Sendable {
  case float32, float64, float16, bfloat16

  var byteCount: Int {
    switch self {
    case .float64: 8
    case .float32: 4
    case .float16, .bfloat16: 2
    }
  }
}

/// An open file that holds named arrays. Their places are known and lie within the file; their numbers are read on
/// demand, so that a model is never in memory twice.
///
/// Any thread may read: every call passes its own offset.
final class ArrayFile: @unchecked Sendable {
  struct Entry: Hashable, Sendable {
    let shape: [Int]
    let type: ElementType
    /// The byte offset of the first number.
    let offset: Int
    /// The product of `shape`.
    let count: Int
    /// Whether the file holds the transpose of this two-dimensional array.
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

  /// One array in single precision, row-major.
  ///
  /// - Throws: where the file cannot be read, or was truncated or changed since it was opened.
  func values(of entry: Entry) throws(ModelError) -> [Float] {
    var failure: ModelError?
    let values = unsafe [Float](unsafeUninitializedCapacity: entry.count) { buffer, initialized in
      do throws(ModelError) {
        if entry.type == .float32 {
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
    // Otherwise one array could come from this version of the file, the next from another.
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
    let size = entry.type.byteCount
    let chunkCount = min(entry.count, Self.chunkByteCount / size)
    var done = 0
    while done < entry.count {
      var chunk = [UInt8](repeating: 0, count: min(entry.count - done, chunkCount) * size)
      var span = chunk.mutableSpan
      var raw = unsafe span.mutableBytes
      try read(at: entry.offset + done * size, into: &raw)
      let bytes = unsafe chunk.span.bytes
      for place in stride(from: 0, to: chunk.count, by: size) {
        values[done + place / size] = number(bytes, at: place, entry.type)
      }
      done += chunk.count / size
    }
  }

  private func number(_ bytes: RawSpan, at offset: Int, _ type: ElementType) -> Float {
    // Every bit pattern is a number, and a whole one lies at `offset`.
    func bits<Word: FixedWidthInteger & BitwiseCopyable>(_: Word.Type) -> Word {
      Word(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Word.self))
    }
    return switch type {
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
