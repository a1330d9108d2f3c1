/// Many strings in one piece of memory: their UTF-8 bytes and 8 bytes each.
public struct PathList: Hashable, Sendable, RandomAccessCollection {
  private var bytes: [UInt8] = []
  /// Where each string ends in `bytes`.
  private var ends: [Int] = []

  public init() {}

  public var startIndex: Int { 0 }
  public var endIndex: Int { ends.count }

  public subscript(index: Int) -> String { String(decoding: bytes[range(index)], as: UTF8.self) }

  mutating func append(_ string: String) {
    bytes.append(contentsOf: string.utf8)
    ends.append(bytes.count)
  }

  mutating func append(contentsOf other: PathList) {
    let base = bytes.count
    bytes.append(contentsOf: other.bytes)
    ends.reserveCapacity(ends.count + other.ends.count)
    for end in other.ends { ends.append(base + end) }
  }

  /// Whether string `a` comes before string `b`, byte by byte; `nil` where they are the same.
  func isBefore(_ a: Int, _ b: Int) -> Bool? {
    let (x, y) = (range(a), range(b))
    var (i, j) = (x.lowerBound, y.lowerBound)
    while i < x.upperBound && j < y.upperBound {
      if bytes[i] != bytes[j] { return bytes[i] < bytes[j] }
      i += 1
      j += 1
    }
    return x.count == y.count ? nil : x.count < y.count
  }

  /// The same strings in another order.
  func inOrder(_ order: [Int32]) -> PathList {
    var sorted = PathList()
    sorted.bytes.reserveCapacity(bytes.count)
    sorted.ends.reserveCapacity(ends.count)
    for index in order {
      sorted.bytes.append(contentsOf: bytes[range(Int(index))])
      sorted.ends.append(sorted.bytes.count)
    }
    return sorted
  }

  private func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : ends[index - 1])..<ends[index] }
}

extension PathList: Codable {
  public init(from decoder: any Decoder) throws {
    var values = try decoder.unkeyedContainer()
    while !values.isAtEnd { append(try values.decode(String.self)) }
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.unkeyedContainer()
    for string in self { try values.encode(string) }
  }
}
