import Foundation
import FuzzTargets
import TestSupport
import Testing

/// A short, seeded replay of what `tools/fuzz/run` does for long.
@Suite("Bytes from outside", .serialized)
struct ReplayTests {
  @Test("never break a promise: valid inputs, past failures and mutated inputs", arguments: targets)
  func replay(_ target: FuzzTarget) throws {
    let seed: UInt64 = 25
    var random = SplitMix64(seed: seed)
    let seeds = try target.seeds()
    let kept = try keptInputs(target.name)
    withScratchFolder { folder in
      // One that traps is left there, and belongs into Corpus with the fault mended.
      let last = "\(folder)-\(target.name)"
      defer { unlink(last) }
      let scratch = Scratch(folder)
      func check(_ input: [UInt8], _ which: @autoclosure () -> String) {
        writeScratchFile(last, input)
        do {
          try target.check(input, scratch)
        } catch {
          let text = Data(input).base64EncodedString()
          Issue.record("\(target.name), \(which()): \(error); the input is, in base64, \(text)")
        }
      }
      for (number, input) in seeds.enumerated() { check(input, "seed \(number)") }
      for (name, input) in kept { check(input, name) }
      for round in 0..<target.replayCount {
        let input = mutated(seeds + kept.map(\.bytes), target.words, &random)
        check(input, "round \(round) of the random seed \(seed)")
      }
    }
  }

  @Test("each target has a unique name, seeds and words")
  func table() throws {
    #expect(Set(targets.map(\.name)).count == targets.count)
    for target in targets { #expect(try !target.seeds().isEmpty && !target.words.isEmpty, "\(target.name)") }
    let folders = try FileManager.default.contentsOfDirectory(atPath: Self.corpus)
    #expect(Set(folders).isSubset(of: targets.map(\.name)), "what is kept belongs to a target")
  }

  private static let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Corpus").path

  /// Inputs that once broke a promise.
  private func keptInputs(_ target: String) throws -> [(name: String, bytes: [UInt8])] {
    let folder = "\(Self.corpus)/\(target)"
    guard FileManager.default.fileExists(atPath: folder) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map { name in
      (name, Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"))))
    }
  }

  /// One to four edits: flips, changed bytes, cuts, repeats, words of the format, splices with another input.
  private func mutated(_ inputs: [[UInt8]], _ words: [[UInt8]], _ random: inout SplitMix64) -> [UInt8] {
    var bytes = inputs.randomElement(using: &random) ?? []
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let place = Int.random(in: 0...bytes.count, using: &random)
      let end = min(bytes.count, place + Int.random(in: 1...16, using: &random))
      switch random.next() % 8 {
      case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8(random.next() % 8)
      case 1 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: random.next())
      case 2: bytes.removeSubrange(place..<end)
      case 3: bytes.insert(contentsOf: bytes[place..<end], at: place)
      case 4: bytes.removeSubrange(place...)
      case 5:
        let other = inputs.randomElement(using: &random) ?? []
        bytes = Array(bytes[..<place]) + other.dropFirst(Int.random(in: 0...other.count, using: &random))
      default: bytes.insert(contentsOf: words.randomElement(using: &random) ?? [], at: place)
      }
    }
    return bytes
  }
}

extension FuzzTarget: CustomTestStringConvertible {
  public var testDescription: String { name }
}
