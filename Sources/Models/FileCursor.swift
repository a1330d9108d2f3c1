import Files

/// A place in a binary file of little-endian numbers. No read goes beyond the end, and no length is believed before it
/// is held against what is left.
///
/// The file is a parameter of each call: the cursor is only the place in it, and a window of bytes read ahead.
struct FileCursor {
  /// The file's name in messages.
  let label: String
  let byteCount: Int
  private(set) var offset = 0
  private var window: [UInt8] = []
  private var windowStart = 0
  private static let windowByteCount = 1 << 12

  init(_ file: borrowing InputFile, label: String) {
    self.label = label
    byteCount = file.byteCount
  }

  var left: Int { byteCount - offset }

  func fault(_ sentence: String, at offset: Int? = nil) -> ModelError {
    ModelError("\(label): byte \(offset ?? self.offset): \(sentence)")
  }

  /// What the file's first bytes say it is; nil where they say nothing.
  func kind(of file: borrowing InputFile) throws(ModelError) -> FileKind? {
    var start = self
    start.offset = 0
    let bytes = Array(try start.bytes(min(512, byteCount), "the file", file))
    return FileKind(bytes.span)
  }

  /// Moves over `count` bytes; nil stands for more than any file has.
  mutating func skip(_ count: Int?, of what: @autoclosure () -> String) throws(ModelError) {
    guard let count, count >= 0, count <= left else {
      let wanted = count.map { "\($0) bytes" } ?? "more bytes than any file has"
      throw fault("\(what()) wants \(wanted), \(left) are left")
    }
    offset += count
  }

  mutating func integer<Number: FixedWidthInteger>(
    _: Number.Type, _ what: String, _ file: borrowing InputFile
  ) throws(ModelError) -> Number {
    let bytes = try bytes(Number.bitWidth / 8, what, file)
    return bytes.reversed().reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
  }

  /// Text of `count` bytes.
  mutating func text(_ count: Int, _ what: String, _ file: borrowing InputFile) throws(ModelError) -> String {
    let start = offset
    guard let text = String(validating: try bytes(count, what, file), as: UTF8.self) else {
      throw fault("\(what) is not UTF-8", at: start)
    }
    return text
  }

  mutating func bytes(
    _ count: Int, _ what: String, _ file: borrowing InputFile
  ) throws(ModelError) -> ArraySlice<UInt8> {
    let start = offset
    try skip(count, of: what)
    if start < windowStart || start + count > windowStart + window.count {
      window = [UInt8](repeating: 0, count: min(byteCount - start, max(count, Self.windowByteCount)))
      windowStart = start
      var span = window.mutableSpan
      var raw = unsafe span.mutableBytes
      let got: Int
      do { got = try file.read(at: start, into: &raw) } catch {
        throw ModelError("\(label): \(error.sentence)")
      }
      guard got == window.count else { throw ModelError("\(label): it was cut while it was being read") }
    }
    return window[start - windowStart..<start - windowStart + count]
  }
}
