import Glibc

/// One image of a `.lst` file.
public struct ListEntry: Hashable, Sendable {
  public var id: UInt64
  /// At least one; finite, and within `Float`'s range where a reader made the entry.
  public var labels: [Double]
  /// As written, blanks at both ends included; relative to a root, or absolute.
  public var path: String

  public init(id: UInt64, labels: [Double], path: String) {
    self.id = id
    self.labels = labels
    self.path = path
  }

  /// The line in `im2rec.py`'s text, line end included: `"%d\t"`, `"%f\t"` per label, the path.
  public var line: String {
    var text = "\(id)\t"
    for label in labels {
      text += sixDecimals(label)
      text += "\t"
    }
    text += path
    text += "\n"
    return text
  }

  /// `path` without the blanks at both ends, which is what `im2rec.py` opens. Files whose names begin with a blank
  /// are found by trying `path` first.
  public var strippedPath: String {
    let bytes = Array(path.utf8)
    let range = stripped(bytes.span, bytes.indices)
    return range.count == bytes.count ? path : String(decoding: bytes[range], as: UTF8.self)
  }
}

/// `value` as C's and Python's `%f`: exact, six decimals, halves to even.
private func sixDecimals(_ value: Double) -> String {
  // Labels are mostly class numbers. -0 must keep its sign, and Int would lose it.
  if let whole = Int32(exactly: value), whole != 0 || value.sign == .plus { return "\(whole).000000" }
  if value.isNaN { return "nan" }
  // The longest double has 309 digits before the point.
  var buffer = [CChar](repeating: 0, count: 320)
  let count = unsafe withVaList([value]) { arguments in
    unsafe buffer.withUnsafeMutableBufferPointer {
      unsafe vsnprintf($0.baseAddress, $0.count, "%f", arguments)
    }
  }
  return String(decoding: buffer.prefix(Int(max(count, 0))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
