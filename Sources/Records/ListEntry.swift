import Files
import Glibc

/// One image of a `.lst` file.
public struct ListEntry: Hashable, Sendable {
  /// The index in the first column, which becomes the record's id.
  public var id: UInt64
  /// At least one. Entries from a `ListReader` have finite labels that fit a `Float`.
  public var labels: [Double]
  /// The path as written, with the white space at both ends; relative to a root, or absolute.
  public var path: String

  /// An entry with at least one label.
  public init(id: UInt64, labels: [Double], path: String) {
    self.id = id
    self.labels = labels
    self.path = path
  }

  /// The line as `im2rec.py` writes it, line end included: `"%d\t"`, `"%f\t"` per label, the path.
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

  /// `path` without the white space at both ends, which is what `im2rec.py` opens. To find files whose names begin
  /// with a space, try `path` first.
  public var strippedPath: String {
    let bytes = Array(path.utf8)
    let range = stripped(bytes.span, bytes.indices)
    return range.count == bytes.count ? path : String(decoding: bytes[range], as: UTF8.self)
  }
}

/// `value` as `%f` of C and Python writes it: the exact value rounded to six decimals, halves to even.
private func sixDecimals(_ value: Double) -> String {
  // Most labels are class numbers. -0 must keep its sign, which an integer would lose.
  if let whole = Int32(exactly: value), whole != 0 || value.sign == .plus { return "\(whole).000000" }
  if value.isNaN { return "nan" }
  // The largest double has 309 digits before the decimal point.
  var buffer = [CChar](repeating: 0, count: 320)
  let count = unsafe withVaList([value]) { arguments in
    unsafe buffer.withUnsafeMutableBufferPointer {
      unsafe vsnprintf($0.baseAddress, $0.count, "%f", arguments)
    }
  }
  return String(decoding: buffer.prefix(Int(max(count, 0))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// A line of a `.lst` file, read.
public enum ListLine: Hashable, Sendable {
  /// An image; lines are counted from 1.
  case entry(ListEntry, line: Int)
  /// A line that cannot be used: the reason, and the text of the line, made printable and cut after 120 bytes.
  case bad(reason: String, line: Int, text: String)

  /// How many bytes of a bad line are kept.
  static let shownByteCount = 120

  /// Reads one line as `im2rec.py` does: strip it, split it at tabs, strip each field. The first field is the id, the
  /// last the path; those between are labels.
  ///
  /// Differences, all on the safe side: the path keeps its white space; NaN, infinity, labels beyond the range of
  /// `Float`, digits like `1_000` and ids of more than 64 bits are refused here, while Python accepts them and fails
  /// later.
  ///
  /// - Parameter bytes: the line without its end.
  init(parsing bytes: Span<UInt8>, line: Int, columns: ListColumns = .idLabelsPath) {
    do throws(LineFault) {
      switch columns {
      case .idLabelsPath: self = .entry(try parseEntry(bytes), line: line)
      case .idPathLabel: self = .entry(try parsePathFirst(bytes), line: line)
      case .flagPathLabel:
        var entry = try parsePathFirst(bytes)
        entry.id = UInt64(max(0, line - 1))
        self = .entry(entry, line: line)
      }
    } catch {
      let text = unsafe bytes.withUnsafeBufferPointer { unsafe printable($0, limit: Self.shownByteCount) }
      self = .bad(reason: error.reason, line: line, text: text)
    }
  }
}

private struct LineFault: Error {
  let reason: String

  init(_ reason: String) { self.reason = reason }
}

private func parseEntry(_ bytes: Span<UInt8>) throws(LineFault) -> ListEntry {
  let whole = stripped(bytes, 0..<bytes.count)
  if whole.isEmpty { throw LineFault("empty line") }
  // Where the fields start; each ends at the tab before the next one.
  var starts = [whole.lowerBound]
  for index in whole where bytes[index] == UInt8(ascii: "\t") { starts.append(index + 1) }
  guard starts.count >= 3 else {
    throw LineFault("\(starts.count) of the 3 fields id, label and path, which tabs separate")
  }
  let id = try parseID(bytes, stripped(bytes, whole.lowerBound..<(starts[1] - 1)))
  var labels: [Double] = []
  labels.reserveCapacity(starts.count - 2)
  for field in 1..<(starts.count - 1) {
    labels.append(try parseLabel(bytes, stripped(bytes, starts[field]..<(starts[field + 1] - 1))))
  }
  // The path includes the white space after the stripped line, but not beyond a tab, which would begin another field.
  var end = whole.upperBound
  while end < bytes.count && bytes[end] != UInt8(ascii: "\t") { end += 1 }
  return ListEntry(id: id, labels: labels, path: try parsePath(bytes, starts[starts.count - 1]..<end))
}

/// The fields of a line, after the white space at both ends of the line is removed.
private func fields(_ bytes: Span<UInt8>) -> [Range<Int>] {
  let whole = stripped(bytes, 0..<bytes.count)
  var result: [Range<Int>] = []
  var start = whole.lowerBound
  for index in whole where bytes[index] == UInt8(ascii: "\t") {
    result.append(start..<index)
    start = index + 1
  }
  return result + [start..<whole.upperBound]
}

/// Reads a line of the form id, path, label.
private func parsePathFirst(_ bytes: Span<UInt8>) throws(LineFault) -> ListEntry {
  let fields = fields(bytes)
  if fields.count == 1 && fields[0].isEmpty { throw LineFault("empty line") }
  guard fields.count == 3 else {
    throw LineFault("\(fields.count) of the 3 fields id, path and label, which tabs separate")
  }
  let id = try parseID(bytes, stripped(bytes, fields[0]))
  let label = try parseLabel(bytes, stripped(bytes, fields[2]))
  return ListEntry(id: id, labels: [label], path: try parsePath(bytes, fields[1]))
}

/// The order of the columns in a list.
public enum ListColumns: Hashable, Sendable {
  /// MXNet's order.
  case idLabelsPath
  /// The path before a single label.
  case idPathLabel
  /// InsightFace's order. The flag says whether the face is aligned already; the id of a record is the number of its
  /// line, counted from 0.
  case flagPathLabel

  /// Guesses the order: MXNet's, unless every line is a number, a path with the suffix of an image and a number. If the
  /// first column then holds only 0 and 1, it is InsightFace's flag.
  ///
  /// - Parameter start: the first bytes of a list.
  init(ofFileBeginning start: [UInt8]) {
    self = .idLabelsPath
    let text = start.starts(with: [0xef, 0xbb, 0xbf]) ? start.dropFirst(3) : start[...]
    var lines = text.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") })[...]
    // The last line may be incomplete.
    if lines.count > 1 && start.count >= 1 << 16 { lines = lines.dropLast() }
    var hasFlagsOnly = true
    guard !lines.isEmpty else { return }
    for line in lines {
      guard let entry = try? parsePathFirst(Array(line).span),
        imageSuffixes.contains(suffixKind(ofName: baseName(entry.path)))
      else { return }
      hasFlagsOnly = hasFlagsOnly && entry.id <= 1
    }
    self = hasFlagsOnly ? .flagPathLabel : .idPathLabel
  }
}

private func parseID(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(LineFault) -> UInt64 {
  var digits = range
  if range.count > 1 && bytes[range.lowerBound] == UInt8(ascii: "+") {
    digits = (range.lowerBound + 1)..<range.upperBound
  }
  let id = unsafe bytes.extracting(digits).withUnsafeBufferPointer { unsafe wholeNumber($0) }
  guard let id else {
    throw LineFault("the id is \(quoted(bytes, range)); a whole number from 0 to \(UInt64.max) is expected")
  }
  return id
}

private func parseLabel(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(LineFault) -> Double {
  if let value = shortDecimal(bytes, range) { return value }
  guard isDecimal(bytes, range), let value = Double(text(bytes, range) ?? "") else {
    throw LineFault("a label is \(quoted(bytes, range)); a number is expected")
  }
  guard Float(value).isFinite else {
    throw LineFault("a label is \(quoted(bytes, range)), which a record's 32-bit labels cannot hold")
  }
  return value
}

private func parsePath(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(LineFault) -> String {
  // A NUL would end the path early in the system call, and name another file.
  for index in range where bytes[index] == 0 { throw LineFault("the path holds a NUL byte") }
  guard let path = text(bytes, range) else { throw LineFault("the path is not UTF-8") }
  return path
}

/// Reads digits with at most one decimal point. With at most 15 digits, dividing two exact doubles gives the nearest
/// double. Nil for any other text.
private func shortDecimal(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Double? {
  guard (1...16).contains(range.count) else { return nil }
  var (digits, digitCount) = (0, 0)
  var scale: Double?
  for index in range {
    let digit = bytes[index] &- UInt8(ascii: "0")
    if digit <= 9 {
      digits = 10 * digits + Int(digit)
      digitCount += 1
      scale = scale.map { $0 * 10 }
    } else if bytes[index] == UInt8(ascii: ".") && scale == nil {
      scale = 1
    } else {
      return nil
    }
  }
  guard (1...15).contains(digitCount) else { return nil }
  return Double(digits) / (scale ?? 1)
}

/// Whether the field is a decimal number: an optional sign, digits with at most one point, an optional exponent.
/// `Double` would accept hexadecimal digits and names such as "inf" as well.
private func isDecimal(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
  var index = range.lowerBound
  func skip(_ wanted: (UInt8) -> Bool) -> Int {
    let start = index
    while index < range.upperBound && wanted(bytes[index]) { index += 1 }
    return index - start
  }
  func skipOne(_ wanted: String) -> Bool {
    guard index < range.upperBound && wanted.utf8.contains(bytes[index]) else { return false }
    index += 1
    return true
  }
  let isDigit: (UInt8) -> Bool = { $0 &- UInt8(ascii: "0") <= 9 }
  _ = skipOne("+-")
  var digitCount = skip(isDigit)
  if skipOne(".") { digitCount += skip(isDigit) }
  guard digitCount > 0 else { return false }
  if skipOne("eE") {
    _ = skipOne("+-")
    guard skip(isDigit) > 0 else { return false }
  }
  return index == range.upperBound
}

private func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String? {
  unsafe bytes.extracting(range).withUnsafeBufferPointer { unsafe String(validating: $0, as: UTF8.self) }
}

private func quoted(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
  let shown = unsafe bytes.extracting(range).withUnsafeBufferPointer { unsafe printable($0, limit: 40) }
  return "\"\(shown)\""
}

/// Which attribute of a SageMaker augmented manifest is the label, where the user did not name it.
///
/// The label is the attribute that comes with a `-metadata` attribute, as labelling jobs write it. Where none does,
/// it is the only attribute that is neither a reference nor metadata. Nothing else tells a label from an id or a
/// confidence.
public enum LabelAttribute: Hashable, Sendable {
  case named(String)
  /// Any of these, sorted, may be the label.
  case several([String])
  case none

  /// - Parameter names: the names of all attributes; those that end in `-ref` are references to images.
  public init(among names: some Sequence<String>) {
    let names = Set(names.map { ByteName($0) })
    let others = names.filter { !$0.text.hasByteSuffix("-ref") && !$0.text.hasByteSuffix(Self.suffix) }
    let described = others.filter { names.contains(ByteName($0.text + Self.suffix)) }
    let candidates = (described.isEmpty ? others : described).sorted().map(\.text)
    self = candidates.count > 1 ? .several(candidates) : candidates.first.map { .named($0) } ?? .none
  }

  /// The suffix that the name of an attribute's metadata has.
  public static let suffix = "-metadata"
}
