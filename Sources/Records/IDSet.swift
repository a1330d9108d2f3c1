/// A set of record ids: a bit an id where ids are dense, as they are in lists.
package struct IDSet {
  private var words: [UInt64: UInt64] = [:]

  package init() {}

  /// - Returns: whether the id was new.
  package mutating func insert(_ id: UInt64) -> Bool {
    let bit = UInt64(1) << (id & 63)
    let word = words[id >> 6, default: 0]
    guard word & bit == 0 else { return false }
    words[id >> 6] = word | bit
    return true
  }
}
