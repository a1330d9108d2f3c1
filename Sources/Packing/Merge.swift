public import Files
import Records

/// The result of `merge`.
public struct Merged: Codable, Sendable {
  public var records = 0
  /// The size of the merged `.rec` file.
  public var bytes = 0
  /// Files that were joined.
  public var parts = 0
  public var seconds = 0.0
}

/// Joins `.rec` files, in the given order, into one file with one index.
///
/// The key of a record is taken from the `.idx` of its part or, without an `.idx`, is the record's id.
/// - Parameters:
///   - renumbers: give the records the ids and keys 0, 1, 2, ... instead of their own.
///   - checksParts: refuse files that are not the parts of one list, as far as `PartsCheck` can tell. Ignored if
///     `renumbers` is set.
/// - Throws: `PackingError` if two records have the same key, and with `.parts` if the files do not belong together;
///   `RecordError` at a damaged record, because nothing is left out silently; `FileError`; `CancellationError`.
public func merge(
  _ parts: [String], into output: String, renumbers: Bool = false, checksParts: Bool = true,
  progress: (Progress) -> Void = { _ in }
) throws -> Merged {
  let start = ContinuousClock.now
  let lock = try OutputLock(prefix: output)
  defer { withExtendedLifetime(lock) {} }
  try checkNames(outputs: [output, splitExtension(output).stem + ".idx"], inputs: parts)
  let byteCounts = try parts.map { try InputFile($0).byteCount }
  let total = byteCounts.reduce(0, +)
  // With new ids the files need not be parts of one list.
  let check = checksParts && !renumbers ? try PartsCheck(parts) : nil
  var merging = Merging(output: try RecordOutput(output), renumbers: renumbers, check: check)
  do {
    for (part, before) in zip(parts, byteCounts.indices.map { byteCounts[..<$0].reduce(0, +) }) {
      try merging.add(part) { done, byte in
        progress(Progress(done: done, skipped: 0, byte: before + byte, of: total))
      }
    }
    try merging.check?.finish()
  } catch {
    merging.output.discard()
    throw error
  }
  var result = Merged()
  result.records = merging.output.recordCount
  result.bytes = merging.output.byteCount
  result.parts = parts.count
  try merging.output.publish()
  result.seconds = (ContinuousClock.now - start) / .seconds(1)
  return result
}

private struct Merging: ~Copyable {
  var output: RecordOutput
  let renumbers: Bool
  var check: PartsCheck?
  private var ids = IDSet()

  init(output: consuming RecordOutput, renumbers: Bool, check: PartsCheck?) {
    self.output = output
    self.renumbers = renumbers
    self.check = check
  }

  mutating func add(_ part: String, progress: (Int, Int) -> Void) throws {
    var reader = try RecordReader(part)
    let keys = try keysByOffset(part)
    check?.begin(part)
    while let record = try reader.next() {
      try Task.checkCancellation()
      let (header, imageStart) = try record.parse()
      let key = renumbers ? UInt64(output.recordCount) : keys?[record.offset] ?? header.id
      guard ids.insert(key) else {
        throw PackingError(
          .repeatedID("\(part): byte \(record.offset): an earlier record has the same id \(key)"))
      }
      check?.see(header, image: record.payload.span.extracting(imageStart..<record.payload.count))
      if renumbers {
        var header = header
        header.id = key
        var frame: [UInt8] = []
        try appendRecord(
          header, image: record.payload.span.extracting(imageStart..<record.payload.count), to: &frame)
        try output.append(frame: frame.span, key: key)
      } else {
        try output.append(record, key: key)
      }
      progress(output.recordCount, reader.offset)
    }
  }

  private func keysByOffset(_ part: String) throws -> [Int: UInt64]? {
    let path = splitExtension(part).stem + ".idx"
    guard FileStamp(path: path) != nil else { return nil }
    let index = try RecordIndex(path: path)
    return Dictionary(index.entries.map { ($0.offset, $0.key) }) { first, _ in first }
  }
}
