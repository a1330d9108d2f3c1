import Records
import TestSupport
import Testing

@Suite("shards of a list")
struct ListPartTests {
  /// 23 lines `<number> 0:<ones>` of different lengths.
  static let lines = [
    20, 9, 24, 12, 26, 23, 27, 24, 21, 30, 17, 1, 27, 15, 25, 8, 21, 2, 29, 6, 4, 12, 16,
  ].enumerated().map { "\($0) 0:" + String(repeating: "1", count: $1) }

  /// Lines per shard as dmlc splits them, observed with MXNet 1.9.1's `LibSVMIter(num_parts:, part_index:)`.
  static let observed: [(text: String, counts: [[Int]])] = [
    (
      lines.joined(separator: "\n") + "\n",
      [
        [23], [10, 13], [8, 7, 8], [6, 4, 7, 6], [5, 4, 4, 5, 5], [5, 3, 2, 5, 4, 4], [4, 3, 2, 4, 2, 4, 4],
        [3, 3, 2, 2, 4, 3, 2, 4], [3, 3, 2, 2, 2, 3, 2, 3, 3], [3, 2, 2, 2, 1, 3, 2, 3, 3, 2],
        [3, 2, 2, 1, 2, 1, 3, 2, 3, 2, 2], [3, 2, 1, 2, 1, 1, 3, 2, 2, 2, 2, 2],
      ]
    ),
    (
      lines.joined(separator: "\r\n") + "\r\n",
      [
        [23], [10, 13], [8, 7, 8], [6, 5, 6, 6], [5, 4, 4, 5, 5], [5, 3, 3, 4, 4, 4], [4, 3, 2, 4, 2, 4, 4],
        [3, 3, 2, 3, 3, 3, 2, 4], [3, 3, 2, 2, 3, 2, 2, 3, 3], [3, 2, 2, 2, 1, 3, 2, 3, 2, 3],
        [3, 2, 2, 1, 2, 2, 2, 2, 3, 2, 2], [3, 2, 1, 2, 1, 2, 2, 2, 2, 2, 2, 2],
      ]
    ),
    (
      lines.joined(separator: "\n\n") + "\n\n\n",
      [
        [23], [11, 12], [8, 7, 8], [6, 5, 6, 6], [5, 4, 4, 5, 5], [5, 3, 3, 4, 4, 4], [4, 3, 2, 4, 2, 4, 4],
        [3, 3, 2, 3, 3, 3, 2, 4], [3, 3, 2, 2, 3, 2, 2, 3, 3], [3, 2, 2, 2, 2, 2, 2, 4, 2, 2],
        [3, 2, 2, 1, 2, 2, 2, 2, 3, 3, 1], [3, 2, 1, 2, 1, 2, 2, 2, 2, 2, 2, 2],
      ]
    ),
  ]

  @Test("a list is cut where dmlc cuts it", arguments: observed)
  func observedCounts(_ text: String, _ counts: [[Int]]) throws {
    for (row, expected) in counts.enumerated() {
      let found = try (0...row).map { index in
        try ListEntryTests.read(text.utf8, shard: ListShard(index: index, count: row + 1)).filter {
          !isEmpty($0)
        }.count
      }
      #expect(found == expected, "\(row + 1) shards")
    }
  }

  private func isEmpty(_ line: ListLine) -> Bool {
    if case .bad("empty line", _, _) = line { true } else { false }
  }

  @Test(
    "the shards together are the list, and lines keep their numbers",
    arguments: ["\n", "\r\n", "\r", "\n\n", "\r\n\n\r"])
  func complete(_ end: String) throws {
    var random = SplitMix64(seed: 11)
    for count in [0, 1, 2, 5, 40] {
      let text = (0..<count).map { index in
        ListEntry(
          id: UInt64(index), labels: [1], path: String(repeating: "p", count: Int(random.next() % 90) + 1)
        ).line
          .replacing("\n", with: end)
      }.joined()
      let whole = try ListEntryTests.read(text.utf8)
      for shardCount in [1, 2, 3, 7, 64] {
        let found = try (0..<shardCount).flatMap {
          try ListEntryTests.read(text.utf8, shard: ListShard(index: $0, count: shardCount))
        }
        #expect(found == whole, "\(count) lines in \(shardCount) shards")
      }
    }
  }

  @Test("the index and count of a shard may be as large as integers are")
  func extremes() throws {
    let text = Self.lines.map { "1\t1\t\($0)\n" }.joined()
    #expect(try ListEntryTests.read(text.utf8, shard: ListShard(index: .max - 1, count: .max)).isEmpty)
    #expect(try ListEntryTests.read(text.utf8, shard: ListShard(index: 0, count: .max)).count == 1)
  }
}
