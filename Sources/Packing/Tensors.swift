public import Files
public import Imaging
import Records

/// The element type of a tensor file.
public enum TensorType: String, CaseIterable, Sendable { case float32, uint8 }

/// How `writeTensors` and `benchmarkDecoding` turn records into tensors.
public struct TensorOptions: Sendable {
  /// Resize, crop, mean and std; `uint8` tensors ignore mean and std.
  public var preset: Preset
  public var type = TensorType.float32
  /// Use damaged images as far as they decode; otherwise they are skipped.
  public var keepDamaged = false
  /// Images decoded concurrently.
  public var jobs = 1
  /// Images with more pixels are skipped before memory for them is allocated.
  public var maximumPixelCount = DecodeOptions.standardMaximumPixelCount
  public init(preset: Preset) { self.preset = preset }

  var decoding: DecodeOptions {
    DecodeOptions(
      color: preset.shape.first == 1 ? .gray : .rgb, keepDamaged: keepDamaged,
      maximumPixelCount: maximumPixelCount)
  }

  var elementCount: Int { preset.count }
}

/// The result of `writeTensors`.
public struct TensorSummary: Codable, Sendable {
  /// Rows of both arrays.
  public var records = 0
  /// The shape of the image array: records, channels, height, width.
  public var shape: [Int] = []
  /// The path of the image array.
  public var images = ""
  /// The path of the label array.
  public var labels = ""
  /// Records with labels but no image; they have no row.
  public var labelRecords = 0
  /// Records that could not be decoded, with the reason; they have no row.
  public var skipped: [Skip] = []
  public var seconds = 0.0
}

/// Turns records into two NumPy arrays: `output` of shape (N, C, H, W), and `<stem>-labels.npy` of shape (N,), or
/// (N, labels) if labels are packed. Like numpy.save, it appends `.npy` to an `output` without that suffix.
///
/// The rows equal those of MXNet's ImageRecordIter without augmentation. `float32` tensors are normalized with the
/// preset's `mean` and `std`; `uint8` tensors hold the pixels, as ImageRecordUInt8Iter returns them.
/// - Throws: `FileError` and `RecordError` if a file cannot be read or written; `InputError` if no record can be
///   decoded; `PackingError` if an output would overwrite an input; `CancellationError`. A record that cannot be
///   decoded is *not* an error: it is skipped.
/// - Complexity: O(pixels); memory does not grow with the file.
public func writeTensors(
  _ path: String, to output: String, options: TensorOptions, progress: (Progress) -> Void = { _ in }
) async throws -> TensorSummary {
  let start = ContinuousClock.now
  var reader = try RecordReader(path)
  let byteCount = reader.byteCount
  var result = TensorSummary()
  try checkNames(outputs: [output], inputs: [path])
  let output = output.hasByteSuffix(".npy") ? output : output + ".npy"
  result.images = output
  result.labels = splitExtension(output).stem + "-labels.npy"
  try checkNames(outputs: [output, result.labels], inputs: [path])
  var images = try NumpyFile(
    output, element: options.type == .uint8 ? .uint8 : .float32, rowShape: options.preset.shape)
  var labels: LabelRows? = nil
  do {
    try await inOrder(width: options.jobs) {
      try StreamedRecord.next(&reader)
    } work: { streamed in
      tensorRow(of: streamed, options)
    } take: { row in
      switch row {
      case .labelsOnly: result.labelRecords += 1
      case .skipped(let offset, let reason):
        result.skipped.append(Skip(path: "\(path):\(offset)", reason: reason))
      case .tensor(let bytes, let offset, let values):
        if labels == nil { labels = try LabelRows(result.labels, width: values.count) }
        if labels?.width == values.count {
          try labels?.append(values)
          try images.append(bytes.span)
          result.records += 1
        } else {
          result.skipped.append(
            Skip(
              path: "\(path):\(offset)",
              reason: "the record has \(values.count) labels, but the first one has \(labels?.width ?? 0)"))
        }
      }
      progress(
        Progress(done: result.records, skipped: result.skipped.count, byte: row.offset ?? 0, of: byteCount))
    }
    guard result.records > 0 else {
      throw InputError(
        "\(path): no record could be decoded"
          + (result.skipped.first.map { "; reason of the first: \($0.reason)" } ?? ""))
    }
    try labels?.file?.seal()
    try images.seal()
  } catch {
    images.discard()
    labels?.file.take()?.discard()
    throw error
  }
  result.shape = [result.records] + options.preset.shape
  try labels?.file.take()?.publish()
  try images.publish()
  result.seconds = (ContinuousClock.now - start) / .seconds(1)
  return result
}

private enum Row: Sendable {
  case tensor(bytes: [UInt8], offset: Int, labels: [Float])
  case labelsOnly
  case skipped(offset: Int, reason: String)

  var offset: Int? {
    switch self {
    case .tensor(_, let offset, _), .skipped(let offset, _): offset
    case .labelsOnly: nil
    }
  }
}

private func tensorRow(of streamed: StreamedRecord, _ options: TensorOptions) -> Row {
  var offset = 0
  do {
    let record = try ImageRecord(streamed)
    offset = record.offset
    if record.isLabelRecord { return .labelsOnly }
    let bytes =
      switch options.type {
      case .uint8: try record.withImage { (image) throws(ImageError) in try uint8Tensor(image, options) }
      case .float32: try record.withImage { (image) throws(ImageError) in try floatTensor(image, options) }
      }
    return .tensor(bytes: bytes, offset: offset, labels: record.header.allLabels)
  } catch let error as RecordError {
    return .skipped(offset: error.offset, reason: error.sentence)
  } catch {
    return .skipped(offset: offset, reason: "\(error)")
  }
}

private func uint8Tensor(_ image: Span<UInt8>, _ options: TensorOptions) throws(ImageError) -> [UInt8] {
  var tensor = [UInt8](repeating: 0, count: options.elementCount)
  var elements = tensor.mutableSpan
  try options.preset.fill(&elements, from: image, options.decoding)
  return tensor
}

private func floatTensor(_ image: Span<UInt8>, _ options: TensorOptions) throws(ImageError) -> [UInt8] {
  var tensor = [Float](repeating: 0, count: options.elementCount)
  var elements = tensor.mutableSpan
  try options.preset.fill(&elements, from: image, options.decoding)
  return unsafe tensor.withUnsafeBytes { unsafe Array($0) }
}

/// The file of the label array. It is opened at the first record, which determines the number of labels.
private struct LabelRows: ~Copyable {
  let width: Int
  var file: NumpyFile?

  init(_ path: String, width: Int) throws(FileError) {
    self.width = width
    file = try NumpyFile(path, element: .float32, rowShape: width == 1 ? [] : [width])
  }

  mutating func append(_ values: [Float]) throws(FileError) {
    let bytes = unsafe values.withUnsafeBytes { unsafe Array($0) }
    try file?.append(bytes.span)
  }
}

/// A NumPy `.npy` file (format version 1.0, C order, little endian), written row by row.
///
/// The header holds the number of rows, which is known only at the end; the header has room for any number.
struct NumpyFile: ~Copyable {
  enum Element: String {
    case float32 = "<f4"
    case uint8 = "|u1"
  }

  private var file: StagedFile
  private let element: Element
  /// The shape of one row; the shape in the file is the row count followed by this.
  private let rowShape: [Int]
  private(set) var rowCount = 0
  private static let headerByteCount = 128

  init(_ path: String, element: Element, rowShape: [Int]) throws(FileError) {
    let header = Self.header(element, [0] + rowShape)
    var file = try StagedFile(path)
    do {
      try file.append(header.span)
    } catch {
      file.discard()
      throw error
    }
    self.file = file
    self.element = element
    self.rowShape = rowShape
  }

  mutating func append(_ row: Span<UInt8>) throws(FileError) {
    try file.append(row)
    rowCount += 1
  }

  /// Writes the number of rows and syncs the file to disk; only the rename is left.
  mutating func seal() throws(FileError) {
    try file.overwrite(Self.header(element, [rowCount] + rowShape).span, at: 0)
    try file.sync()
  }

  consuming func publish() throws(FileError) { try file.publish() }

  consuming func discard() { file.discard() }

  private static func header(_ element: Element, _ shape: [Int]) -> [UInt8] {
    let dimensions = shape.map { "\($0)" }.joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var text = "{'descr': '\(element.rawValue)', 'fortran_order': False, 'shape': (\(dimensions)), }"
    // 10 bytes precede the text: magic, version and a two-byte length. A newline ends it.
    text += String(repeating: " ", count: max(0, headerByteCount - 10 - 1 - text.utf8.count)) + "\n"
    let length = UInt16(text.utf8.count)
    return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + Array(text.utf8)
  }
}
