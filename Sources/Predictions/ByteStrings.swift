/// Many byte strings, such as the paths of a million images, in one piece of memory.
///
/// Paths are bytes here: a file name need not be UTF-8, and two that look the same are not. A zero byte follows
/// each, so that a path can be handed to the system as it stands.
struct ByteStrings: Sendable {
  /// What the places of 32 bits can count.
  static let maximumByteCount = Int(UInt32.max)

  private var bytes: [UInt8] = []
  /// Behind the zero byte of each string.
  private var ends: [UInt32] = []

  var count: Int { ends.count }

  /// - Returns: `false`, with nothing added, where all strings together would be larger than 4 GB.
  @discardableResult
  mutating func append(_ string: some Collection<UInt8>) -> Bool {
    guard string.count < Self.maximumByteCount - bytes.count else { return false }
    bytes.append(contentsOf: string)
    bytes.append(0)
    ends.append(UInt32(bytes.count))
    return true
  }

  /// All strings of both; those that no longer fit into 4 GB are left out.
  static func + (left: ByteStrings, right: ByteStrings) -> ByteStrings {
    var both = left
    for index in 0..<right.count { both.append(right[index]) }
    return both
  }

  /// Where string `index` stands in `bytes`, its zero byte left out.
  func range(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : Int(ends[index - 1]))..<(Int(ends[index]) - 1)
  }

  subscript(index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }

  /// The string for a message, or where text is asked for: what is no UTF-8 is shown as `\xNN`.
  func text(_ index: Int) -> String {
    String(validating: self[index], as: UTF8.self) ?? shown(self[index])
  }

  func byte(at place: Int) -> UInt8 { bytes[place] }

  /// Hashes a part of the memory, for an index over parts of the strings.
  func hash(_ range: Range<Int>, into hasher: inout Hasher) {
    combine(bytes.span.extracting(range), into: &hasher)
  }

  /// Whether the part of the memory holds exactly `key`.
  func holds(_ key: Span<UInt8>, at range: Range<Int>) -> Bool {
    guard range.count == key.count else { return false }
    return unsafe bytes.span.extracting(range).withUnsafeBytes { mine in
      unsafe key.withUnsafeBytes { other in unsafe mine.elementsEqual(other) }
    }
  }

  /// Calls `body` with the memory that `range` counts in.
  func withMemory<Result>(_ body: (Span<UInt8>) -> Result) -> Result { body(bytes.span) }

  /// Calls `body` with the bytes of string `index`.
  func withBytes<Result>(_ index: Int, _ body: (Span<UInt8>) -> Result) -> Result {
    body(bytes.span.extracting(range(index)))
  }

  /// Calls `body` with the string as C has it.
  func withCString<Result>(_ index: Int, _ body: (UnsafePointer<CChar>) -> Result) -> Result? {
    let start = range(index).lowerBound
    return unsafe bytes.withUnsafeBufferPointer { buffer in
      unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[start...])
        .assumingMemoryBound(to: CChar.self).baseAddress.map { unsafe body($0) }
    }
  }

  /// Whether string `left` stands before string `right`, byte by byte.
  func precedes(_ left: Int, _ right: Int) -> Bool { self[left].lexicographicallyPrecedes(self[right]) }
}

func combine(_ bytes: Span<UInt8>, into hasher: inout Hasher) {
  unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
}
