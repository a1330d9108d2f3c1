import Files

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
