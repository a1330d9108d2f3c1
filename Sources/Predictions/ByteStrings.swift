import Encodings

/// Many byte strings, such as the paths of a million images, in one allocation.
///
/// Paths are bytes here: a file name need not be UTF-8, and two names that look the same may differ. A zero byte
/// follows each string, so that a path can be passed to the system as a C string.
///
/// Memory: 5 bytes a string beside its own.
struct ByteStrings: Sendable {
  /// The largest offset that 32 bits hold.
  static let maximumByteCount = Int(UInt32.max)

  private var bytes: [UInt8] = []
  /// Where each string ends in `bytes`, its zero byte included.
  private var ends: [UInt32] = []

  var count: Int { ends.count }

  /// - Returns: `false`, with nothing added, where the strings would have more than 4 GB in total.
  @discardableResult
  mutating func append(_ string: some Collection<UInt8>) -> Bool {
    guard string.count < Self.maximumByteCount - bytes.count else { return false }
    bytes.append(contentsOf: string)
    bytes.append(0)
    ends.append(UInt32(bytes.count))
    return true
  }

  /// The strings of `left`, then those of `right` as far as they fit into 4 GB.
  static func + (left: ByteStrings, right: ByteStrings) -> ByteStrings {
    var both = left
    for index in 0..<right.count { both.append(right[index]) }
    return both
  }

  /// The range of string `index` in `bytes`, without its zero byte.
  func range(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : Int(ends[index - 1]))..<(Int(ends[index]) - 1)
  }

  subscript(index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }

  /// String `index` as text; in one that is not UTF-8, bytes beyond ASCII become `\xNN`.
  func text(_ index: Int) -> String {
    String(validating: self[index], as: UTF8.self) ?? nameText(self[index])
  }

  func byte(at place: Int) -> UInt8 { bytes[place] }

  /// Hashes the bytes of `range`, for an index over parts of the strings.
  func hash(_ range: Range<Int>, into hasher: inout Hasher) {
    combine(bytes.span.extracting(range), into: &hasher)
  }

  /// Whether the bytes of `range` equal `key`.
  func holds(_ key: Span<UInt8>, at range: Range<Int>) -> Bool {
    guard range.count == key.count else { return false }
    return unsafe bytes.span.extracting(range).withUnsafeBytes { mine in
      unsafe key.withUnsafeBytes { other in unsafe mine.elementsEqual(other) }
    }
  }

  /// Calls `body` with the bytes of all strings, which every `Range<Int>` here counts in.
  func withMemory<Result>(_ body: (Span<UInt8>) -> Result) -> Result { body(bytes.span) }

  /// Calls `body` with the bytes of string `index`.
  func withBytes<Result>(_ index: Int, _ body: (Span<UInt8>) -> Result) -> Result {
    body(bytes.span.extracting(range(index)))
  }

  /// Calls `body` with string `index` as a C string, valid during the call.
  func withCString<Result>(_ index: Int, _ body: (UnsafePointer<CChar>) -> Result) -> Result? {
    let start = range(index).lowerBound
    return unsafe bytes.withUnsafeBufferPointer { buffer in
      unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[start...])
        .assumingMemoryBound(to: CChar.self).baseAddress.map { unsafe body($0) }
    }
  }

  /// Whether string `left` sorts before string `right`, byte by byte.
  func precedes(_ left: Int, _ right: Int) -> Bool { self[left].lexicographicallyPrecedes(self[right]) }
}

func combine(_ bytes: Span<UInt8>, into hasher: inout Hasher) {
  unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
}

/// The strings as paths. Ranges count in the bytes of all strings.
extension ByteStrings {
  /// The byte count of the folders that all paths begin with, the last slash included.
  var commonFolderByteCount: Int {
    guard count > 0 else { return 0 }
    let first = self[0]
    var common = (first.lastIndex(of: UInt8(ascii: "/")) ?? first.startIndex - 1) + 1 - first.startIndex
    for index in 1..<max(count, 1) where common > 0 {
      let path = self[index]
      var same = zip(first.prefix(common), path).prefix { $0 == $1 }.count
      while same > 0, first[first.startIndex + same - 1] != UInt8(ascii: "/") { same -= 1 }
      common = same
    }
    return common
  }

  /// The part of a path after its last slash.
  func fileName(_ path: Range<Int>) -> Range<Int> {
    var start = path.upperBound
    while start > path.lowerBound, byte(at: start - 1) != UInt8(ascii: "/") { start -= 1 }
    return start..<path.upperBound
  }

  /// A path without the suffix of its file name; `nil` where it has none. A leading dot begins no suffix.
  func stem(_ path: Range<Int>) -> Range<Int>? {
    let name = fileName(path)
    var dot = name.upperBound - 1
    while dot > name.lowerBound, byte(at: dot) != UInt8(ascii: ".") { dot -= 1 }
    return dot > name.lowerBound ? path.lowerBound..<dot : nil
  }

  func hasFolder(_ index: Int) -> Bool { self[index].contains(UInt8(ascii: "/")) }
}

/// Finds strings by a part of them, such as the file name of a path: a hash table of 8 to 16 bytes a string.
struct NameIndex: Sendable {
  enum Hit: Hashable {
    case one(Int)
    /// Several strings have this part, so it does not identify one.
    case several(count: Int)
  }

  /// Open addressing, at most half full: the index of the first string with a part, plus 1; 0 is a free slot.
  private var slots: [UInt32]
  /// How many strings share a part, by the index of the first; only parts that repeat.
  private var counts: [Int: Int] = [:]
  private let part: @Sendable (Int) -> Range<Int>?

  /// - Parameter part: the range of the part of string i in `strings`; `nil` to leave the string out.
  /// - Complexity: O(bytes of all parts).
  init(_ strings: ByteStrings, part: @escaping @Sendable (Int) -> Range<Int>?) {
    var slotCount = 16
    while slotCount < 2 * strings.count { slotCount *= 2 }
    slots = [UInt32](repeating: 0, count: slotCount)
    self.part = part
    for index in 0..<strings.count {
      guard let range = part(index) else { continue }
      var hasher = Hasher()
      strings.hash(range, into: &hasher)
      let slot = strings.withMemory { memory in
        self.slot(of: memory.extracting(range), hash: hasher.finalize(), in: strings)
      }
      if slots[slot] == 0 {
        slots[slot] = UInt32(truncatingIfNeeded: index + 1)
      } else {
        counts[Int(slots[slot]) - 1, default: 1] += 1
      }
    }
  }

  func find(_ key: Span<UInt8>, in strings: ByteStrings) -> Hit? {
    guard let index = first(key, in: strings) else { return nil }
    return counts[index].map { .several(count: $0) } ?? .one(index)
  }

  var hasRepeats: Bool { !counts.isEmpty }

  /// The index of the first string with this part.
  func first(_ key: Span<UInt8>, in strings: ByteStrings) -> Int? {
    var hasher = Hasher()
    combine(key, into: &hasher)
    let found = slots[slot(of: key, hash: hasher.finalize(), in: strings)]
    return found > 0 ? Int(found) - 1 : nil
  }

  /// The slot that holds the key, or the free slot where it would go.
  private func slot(of key: Span<UInt8>, hash: Int, in strings: ByteStrings) -> Int {
    let mask = slots.count - 1
    var slot = hash & mask
    while slots[slot] > 0 {
      if let range = part(Int(slots[slot]) - 1), strings.holds(key, at: range) { break }
      slot = (slot + 1) & mask
    }
    return slot
  }
}
