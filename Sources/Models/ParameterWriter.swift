import Files

/// Writes a `.params` file byte for byte as MXNet 1.9.1's `nd.save` does: format V2, float32, on the CPU.
///
/// The file gets its name when it is whole. One that is dropped before leaves a `.partial` behind.
public struct ParameterWriter: ~Copyable {
  private var file: StagedFile
  private let count: Int
  private var names: [String] = []

  /// - Parameter count: of the arrays that will be appended.
  public init(_ path: String, count: Int) throws(ModelError) {
    var file = try stage(path)
    try Models.append([ParameterLayout.fileMagic, 0, UInt64(count)], to: &file)
    self.file = file
    self.count = count
  }

  /// - Parameters:
  ///   - name: with MXNet's `arg:` or, for moving statistics, `aux:`.
  ///   - shape: of one dimension or more; the product is the number of values.
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

  /// - Throws: also where the disk is full; the file is not there then.
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
  /// Writes a whole file; where that fails nothing of it is left, and the path holds what it held.
  ///
  /// - Parameters:
  ///   - names: of the arrays, in their order, with MXNet's prefixes.
  ///   - array: gives each when it is its turn, so that no two need be in memory.
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

  // A function of its own, as a writer that is consumed cannot be in scope of a `catch`.
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
