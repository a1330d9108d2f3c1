import Files

/// The bytes of a `.params` file, MXNet's list of NDArrays (src/ndarray/ndarray.cc), all numbers little-endian:
///
/// ```text
/// u64 0x112 | u64 0 | u64 n | n arrays | u64 n | n names, each u64 length and that many bytes
/// array V2, V3: u32 magic | i32 storage | shape | i32 device, i32 its number | i32 type | the numbers, row-major
/// array V1:     u32 magic | shape | device | type | numbers
/// array V0:     the shape as u32 rank, u32 dimensions | device | type | numbers
/// shape: i32 rank, then i64 dimensions
/// ```
enum ParameterLayout {
  static let fileMagic: UInt64 = 0x112
  static let magics: ClosedRange<UInt32> = 0xF993_FAC8...0xF993_FACA
  static let magicV1: UInt32 = 0xF993_FAC8, magicV2: UInt32 = 0xF993_FAC9

  /// ResNet-269 has 1,354; each array that is announced costs memory before its bytes are seen.
  static let largestArrayCount = 100_000
  static let largestRank = 32
  static let largestNameByteCount = 4096

  /// MXNet's storage types, in the order of their numbers.
  static let storages = ["dense", "row_sparse", "csr"]

  /// MXNet's number types, in the order of their numbers.
  static let types = [
    "float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool", "int16", "uint16", "uint32",
    "uint64", "bfloat16",
  ]
  static let typeByteCounts = [4, 8, 2, 1, 4, 1, 8, 1, 2, 2, 4, 8, 2]

  static func elementType(_ type: Int) -> ElementType? {
    switch type {
    case 0: .float32
    case 1: .float64
    case 2: .float16
    default: nil
    }
  }
}

/// Reads the directory of a `.params` file: the names, shapes, types and places of its arrays, not their numbers.
struct ParameterFile {
  private struct Array {
    let shape: [Int]
    let type: Int
    let offset: Int
    let count: Int
  }
  private var cursor: FileCursor

  /// - Parameters:
  ///   - file: read at any offset; the result owns it and reads the numbers later.
  ///   - label: the file's name in messages.
  /// - Throws: with the byte offset, where the file is not such a list, is truncated or goes on after the list; where an
  ///   array is sparse, empty, or of a type other than float32, float64 and float16; where a name appears twice.
  static func open(_ file: consuming InputFile, label: String) throws(ModelError) -> ArrayFile {
    var directory = ParameterFile(cursor: FileCursor(file, label: label))
    if let kind = try directory.cursor.kind(of: file), kind != .parameters {
      throw ModelError("\(label): \(kind.sentence(expected: FileKind.parameters.name))")
    }
    let entries = try directory.read(file)
    return ArrayFile(file, label: label, entries: entries)
  }

  private mutating func read(_ file: borrowing InputFile) throws(ModelError) -> [String: ArrayFile.Entry] {
    let magic = try cursor.integer(UInt64.self, "the file's magic", file)
    guard magic == ParameterLayout.fileMagic else {
      throw cursor.fault(
        "this is not an MXNet parameter file: it starts with 0x\(String(magic, radix: 16)); 0x112 is expected",
        at: 0)
    }
    _ = try cursor.integer(UInt64.self, "the reserved number", file)
    let count = try self.count("the number of arrays", file)
    var arrays: [Array] = []
    for index in 0..<count { arrays.append(try array("array \(index)", file)) }

    let place = cursor.offset
    let nameCount = try self.count("the number of names", file)
    guard nameCount == count else {
      throw cursor.fault("there are \(count) arrays, but \(nameCount) names; one each is expected", at: place)
    }
    var entries: [String: ArrayFile.Entry] = [:]
    for (index, array) in arrays.enumerated() {
      let place = cursor.offset
      let name = try self.name("name \(index)", file)
      guard let type = ParameterLayout.elementType(array.type) else {
        throw cursor.fault(
          "\(shown(name)) holds \(ParameterLayout.types[array.type]); float32, float64 or float16 is expected",
          at: array.offset)
      }
      let entry = ArrayFile.Entry(shape: array.shape, type: type, offset: array.offset, count: array.count)
      guard entries.updateValue(entry, forKey: name) == nil else {
        throw cursor.fault("the name \(shown(name)) appears twice", at: place)
      }
    }
    guard cursor.left == 0 else {
      throw cursor.fault("\(cursor.left) bytes follow the last name; the end of the file is expected")
    }
    return entries
  }

  private mutating func count(_ what: String, _ file: borrowing InputFile) throws(ModelError) -> Int {
    let place = cursor.offset
    let count = try cursor.integer(UInt64.self, what, file)
    guard count <= ParameterLayout.largestArrayCount else {
      throw cursor.fault(
        "\(what) is \(count); at most \(ParameterLayout.largestArrayCount) are expected", at: place)
    }
    return Int(count)
  }

  /// The next name, without the `arg:` or `aux:` that MXNet's Module and Gluon's export put before it.
  private mutating func name(_ what: String, _ file: borrowing InputFile) throws(ModelError) -> String {
    let place = cursor.offset
    let byteCount = try cursor.integer(UInt64.self, "the length of \(what)", file)
    guard (1...UInt64(ParameterLayout.largestNameByteCount)).contains(byteCount) else {
      throw cursor.fault(
        "\(what) has \(byteCount) bytes; from 1 to \(ParameterLayout.largestNameByteCount) are expected",
        at: place)
    }
    let text = try cursor.text(Int(byteCount), what, file)
    guard text.hasBytePrefix("arg:") || text.hasBytePrefix("aux:") else { return text }
    return String(decoding: text.utf8.dropFirst(4), as: UTF8.self)
  }

  private mutating func array(_ what: String, _ file: borrowing InputFile) throws(ModelError) -> Array {
    let place = cursor.offset
    let word = try cursor.integer(UInt32.self, "the magic of \(what)", file)
    let shape: [Int]
    if ParameterLayout.magics.contains(word) {
      if word >= ParameterLayout.magicV2 { try storage(what, file) }
      shape = try self.shape(
        what, rank: Int(try cursor.integer(Int32.self, "the rank of \(what)", file)), file)
    } else {
      // The oldest kind has no magic: its first number is the rank.
      guard word <= ParameterLayout.largestRank else {
        throw cursor.fault(
          "\(what) does not start here: 0x\(String(word, radix: 16)) is neither a magic number of MXNet's arrays "
            + "(0xf993fac8, 0xf993fac9, 0xf993faca) nor a rank", at: place)
      }
      shape = try self.shape(what, rank: Int(word), hasShortDimensions: true, file)
    }
    _ = try cursor.integer(UInt64.self, "the device of \(what)", file)
    let typePlace = cursor.offset
    let type = Int(try cursor.integer(Int32.self, "the type of \(what)", file))
    guard ParameterLayout.types.indices.contains(type) else {
      throw cursor.fault(
        "\(what) has type \(type); 0 (float32), 1 (float64) or 2 (float16) is expected", at: typePlace)
    }
    let offset = cursor.offset
    let count = checkedProduct(shape)
    try cursor.skip(
      count.flatMap { checkedProduct([$0, ParameterLayout.typeByteCounts[type]]) },
      of: "\(what) of shape \(shown(shape))")
    return Array(shape: shape, type: type, offset: offset, count: count ?? 0)
  }

  private mutating func storage(_ what: String, _ file: borrowing InputFile) throws(ModelError) {
    let place = cursor.offset
    let storage = Int(try cursor.integer(Int32.self, "the storage of \(what)", file))
    guard storage != 0 else { return }
    let names = ParameterLayout.storages
    let name = names.indices.contains(storage) ? names[storage] : "of storage \(storage)"
    throw cursor.fault("\(what) is \(name); dense (0) is expected", at: place)
  }

  private mutating func shape(
    _ what: String, rank: Int, hasShortDimensions: Bool = false, _ file: borrowing InputFile
  ) throws(ModelError) -> [Int] {
    let place = cursor.offset - 4
    guard rank != 0 else { throw cursor.fault("\(what) is empty: it has no shape", at: place) }
    guard (1...ParameterLayout.largestRank).contains(rank) else {
      throw cursor.fault(
        "\(what) has rank \(rank); from 1 to \(ParameterLayout.largestRank) is expected", at: place)
    }
    var shape: [Int] = []
    for _ in 0..<rank {
      let place = cursor.offset
      let size =
        hasShortDimensions
        ? Int(try cursor.integer(UInt32.self, "the shape of \(what)", file))
        : Int(try cursor.integer(Int64.self, "the shape of \(what)", file))
      guard size >= 1 else {
        throw cursor.fault("\(what) has the dimension \(size); 1 or more is expected", at: place)
      }
      shape.append(size)
    }
    return shape
  }
}

/// Writes a `.params` file byte for byte as MXNet 1.9.1's `nd.save` does: format V2, float32, on the CPU.
///
/// The file appears under its name when it is complete. A writer that is dropped before leaves a `.partial` behind.
public struct ParameterWriter: ~Copyable {
  private var file: StagedFile
  private let count: Int
  private var names: [String] = []

  /// - Parameter count: how many arrays will be appended.
  /// - Throws: where the file cannot be created.
  public init(_ path: String, count: Int) throws(ModelError) {
    var file = try stage(path)
    try Models.append([ParameterLayout.fileMagic, 0, UInt64(count)], to: &file)
    self.file = file
    self.count = count
  }

  /// Appends one array.
  ///
  /// - Parameters:
  ///   - name: with MXNet's `arg:` or, for moving statistics, `aux:`.
  ///   - shape: one dimension or more; their product is the number of values.
  ///   - values: row-major.
  /// - Throws: where the file cannot be written.
  public mutating func append(_ name: String, shape: [Int], _ values: Span<Float>) throws(ModelError) {
    precondition(
      names.count < count && !shape.isEmpty && checkedProduct(shape) == values.count,
      "as many arrays as announced, and numbers for each shape")
    names.append(name)
    try Models.append([ParameterLayout.magicV2, 0, UInt32(shape.count)], to: &file)
    try Models.append(shape.map(UInt64.init), to: &file)
    // Device 1 is the CPU, its number is 0; type 0 is float32.
    try Models.append([UInt32(1), 0, 0], to: &file)
    do {
      try unsafe values.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(FileError) in
        try unsafe file.append(Span(_unsafeBytes: bytes))
      }
    } catch { throw ModelError(error) }
  }

  /// Removes what was written.
  public consuming func discard() { file.discard() }

  /// Writes the names, and gives the file its name.
  ///
  /// - Throws: where the file cannot be written, as on a full disk; nothing of it is left then.
  public consuming func publish() throws(ModelError) {
    precondition(names.count == count, "as many arrays as announced")
    try Models.append([UInt64(count)], to: &file)
    for name in names {
      let bytes = Array(name.utf8)
      try Models.append([UInt64(bytes.count)], to: &file)
      try Models.append(bytes, to: &file)
    }
    do { try file.publish() } catch { throw ModelError(error) }
  }
}

extension ParameterWriter {
  /// Writes a complete file. Where that fails nothing of it is left, and the path keeps what it held.
  ///
  /// - Parameters:
  ///   - names: those of the arrays, in order, with MXNet's prefixes.
  ///   - array: called for each array in turn, so that only one need be in memory.
  /// - Throws: what `array` throws; where the file cannot be written.
  public static func write(
    _ path: String, _ names: [String], array: (_ index: Int) throws(ModelError) -> Parameters.Array
  ) throws(ModelError) {
    var writer = try ParameterWriter(path, count: names.count)
    if let failure = append(names, array, to: &writer) {
      writer.discard()
      throw failure
    }
    try writer.publish()
  }

  // A function of its own, as a `catch` cannot have a consumed writer in its scope.
  private static func append(
    _ names: [String], _ array: (Int) throws(ModelError) -> Parameters.Array,
    to writer: inout ParameterWriter
  ) -> ModelError? {
    do throws(ModelError) {
      for (index, name) in names.enumerated() {
        let array = try array(index)
        try writer.append(name, shape: array.shape, array.values.span)
      }
      return nil
    } catch { return error }
  }
}

private func append(
  _ numbers: [some FixedWidthInteger], to file: inout StagedFile
) throws(ModelError) {
  let bytes = numbers.flatMap { number in
    (0..<number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }
  do { try file.append(bytes.span) } catch { throw ModelError(error) }
}

private func stage(_ path: String) throws(ModelError) -> StagedFile {
  do { return try StagedFile(path) } catch { throw ModelError(error) }
}
