/// Finds strings by a part of them, such as the file name of a path: a hash table of 4 to 8 bytes a string.
struct NameIndex: Sendable {
  enum Hit: Hashable {
    case one(Int)
    /// So many strings have this part: which is meant cannot be told.
    case several(count: Int)
  }

  /// The number of the first string with its part, plus 1; 0 is free. Open addressing, at most half full.
  private var slots: [UInt32]
  /// How many strings share a part, by the first of them.
  private var counts: [Int: Int] = [:]
  private let part: @Sendable (Int) -> Range<Int>?

  /// - Parameter part: where in the memory of `strings` the part of string i stands; `nil` to leave it out.
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

  /// The first string with this part.
  func first(_ key: Span<UInt8>, in strings: ByteStrings) -> Int? {
    var hasher = Hasher()
    combine(key, into: &hasher)
    let found = slots[slot(of: key, hash: hasher.finalize(), in: strings)]
    return found > 0 ? Int(found) - 1 : nil
  }

  /// The slot that holds the key, or the free one where it belongs.
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
