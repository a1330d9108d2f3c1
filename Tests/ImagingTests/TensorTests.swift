import Foundation
import TestSupport
import Testing

@testable import Imaging

/// Tensors by MXNet's ImageRecordIter, written by tools/oracle/goldens/resize.py.
private struct Goldens: Decodable {
  struct Case: Decodable {
    let file: String, type: String, checksum: String
    let preset: Preset
  }
  let files: [String: Data]
  let cases: [Case]

  static func read() throws -> Goldens {
    try JSONDecoder().decode(Goldens.self, from: golden("tensors.json"))
  }
}

private func floats(_ preset: Preset, _ file: Data) throws -> [UInt8] {
  var tensor = [Float](repeating: .nan, count: preset.count)
  var span = tensor.mutableSpan
  try preset.fill(&span, from: [UInt8](file).span)
  return tensor.withUnsafeBytes { Array($0) }
}

private func bytes(_ preset: Preset, _ file: Data) throws -> [UInt8] {
  var tensor = [UInt8](repeating: 0, count: preset.count)
  var span = tensor.mutableSpan
  try preset.fill(&span, from: [UInt8](file).span)
  return tensor
}

@Suite struct TensorTests {
  @Test("tensors equal ImageRecordIter's, and a stretched picture OpenCV's")
  func goldens() throws {
    let goldens = try Goldens.read()
    #expect(goldens.cases.count == 112)
    for golden in goldens.cases {
      let file = try #require(goldens.files[golden.file])
      let made = try golden.type == "uint8" ? bytes(golden.preset, file) : floats(golden.preset, file)
      #expect(checksum(made) == golden.checksum, "\(golden.file), \(golden.type), \(golden.preset)")
    }
  }

  @Test(
    "every kernel set fills the same tensor, from the whole picture and from a part",
    arguments: Filter.allCases)
  func sets(_ filter: Filter) throws {
    var generator = SplitMix64(seed: 21)
    for seed in 0..<40 as Range<UInt64> {
      let channels = seed % 4 == 0 ? 1 : 3
      let sides = (0..<4).map { _ in Int.random(in: 1...60, using: &generator) }
      let preset = try Preset(
        mode: seed % 5 == 0 ? .squash : .crop,
        resize: seed % 3 == 0 ? nil : .random(in: 1...70, using: &generator),
        shape: [channels, sides[2], sides[3]], mean: [1, 20, 30], std: [3, 0.7, 50], filter: filter)
      let pixels = try Pixels.noise(seed: seed, width: sides[0], height: sides[1], channels: channels)
      let steps = try preset.steps(from: .init(width: sides[0], height: sides[1]))
      let needed = steps[0].needed
      let part = try pixels.cropped(to: needed)
      let expected = try filled(preset, pixels, Offset(x: 0, y: 0), steps, KernelSet.available[0])
      for set in KernelSet.available {
        let made = try filled(preset, part, Offset(x: needed.x, y: needed.y), steps, set)
        #expect(made == expected, "\(set.name), seed \(seed), \(sides), \(preset)")
      }
    }
  }

  private func filled(
    _ preset: Preset, _ pixels: borrowing Pixels, _ origin: Offset, _ steps: [ResizePlan], _ set: KernelSet
  ) throws -> [[UInt8]] {
    var numbers = [Float](repeating: .nan, count: preset.count)
    var span = numbers.mutableSpan
    try preset.fill(&span, from: pixels, at: origin, steps, set)
    var bytes = [UInt8](repeating: 0, count: preset.count)
    var byteSpan = bytes.mutableSpan
    try preset.fill(&byteSpan, from: pixels, at: origin, steps, set)
    return [numbers.withUnsafeBytes { Array($0) }, bytes]
  }

  @Test("a file that is not an image is refused")
  func noImage() throws {
    let error = #expect(throws: ImageError.self) { try floats(Preset(), Data("GIF89a......".utf8)) }
    #expect(error?.reason == .unknownFormat("a GIF image"))
  }
}
