import Records
import TestSupport
import Testing

/// A short, seeded replay of what `tools/fuzz` does for long.
@Suite("mutated files")
struct MutationTests {
  @Test("whatever is read of a mutated .rec file frames to the bytes it was read from", arguments: 0..<4)
  func records(_ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let sound = try RecordReaderTests.sound() + framed(random.bytes(33))
    try withScratchFolder { folder in
      for round in 0..<250 {
        let file = mutated(sound, &random)
        writeScratchFile(folder + "/x.rec", file)
        var reader = try RecordReader(folder + "/x.rec")
        var last = -1
        while true {
          do throws(RecordError) {
            guard let record = try reader.next() else { break }
            let extent = record.offset..<(record.offset + record.frameByteCount)
            var frame: [UInt8] = []
            try appendFrame(record.payload.span, to: &frame)
            #expect(frame.elementsEqual(file[extent]), "seed \(seed), round \(round)")
            let again = try reader.read(at: record.offset)
            #expect(again == record)
            _ = try? record.parse()
          } catch {
            #expect(error.offset == reader.offset && error.offset < file.count && error.offset > last)
            last = error.offset
            guard let next = try reader.resynchronise() else { break }
            #expect(next > last && next < file.count)
          }
        }
        #expect(reader.offset == file.count)
      }
    }
  }

  @Test("whatever is read of a mutated .lst file is written and read to the same", arguments: 0..<4)
  func lists(_ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let sound = Array(
      "0\t1.000000\ta/b.jpg\n1\t2.5\t-3e2\t \u{e9}.png\r\n\n18446744073709551615\t0.1\tx\n".utf8)
    for round in 0..<150 {
      let file = mutated(sound, &random)
      let lines = try ListEntryTests.read(file)
      let entries = lines.compactMap { if case .entry(let entry, _) = $0 { entry } else { nil } }
      let again = try ListEntryTests.read(entries.map(\.line).joined().utf8)
      #expect(again.count == entries.count, "seed \(seed), round \(round)")
      for (entry, line) in zip(entries, again) {
        guard case .entry(let found, _) = line else {
          Issue.record("seed \(seed), round \(round): \(line)")
          continue
        }
        #expect(
          found.id == entry.id && found.path.utf8.elementsEqual(entry.path.utf8) && found.line == entry.line)
      }
      let parts = Int.random(in: 2...4, using: &random)
      let joined = try (0..<parts).flatMap {
        try ListEntryTests.read(file, shard: ListShard(index: $0, count: parts))
      }
      #expect(joined == lines, "seed \(seed), round \(round)")
    }
  }

  /// One to four edits: flips, changed and edge-value bytes, cuts, repeats, insertions.
  private func mutated(_ bytes: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
      let place = Int.random(in: bytes.indices, using: &random)
      let end = min(bytes.count, place + Int.random(in: 1...16, using: &random))
      switch random.next() % 7 {
      case 0: bytes[place] ^= 1 << UInt8(random.next() % 8)
      case 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
      case 2:
        bytes[place] = [0, 9, 10, 13, 32, 0x1f, 0x20, 0x3f, 0x40, 0x60, 0x80, 0xff][Int(random.next() % 12)]
      case 3: bytes.removeSubrange(place..<end)
      case 4: bytes.insert(contentsOf: bytes[place..<end], at: place)
      case 5: bytes.insert(contentsOf: magic, at: place)
      default: bytes.removeSubrange(place...)
      }
    }
    return bytes
  }
}
