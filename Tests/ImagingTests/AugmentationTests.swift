import Foundation
import TestSupport
import Testing

@testable import Imaging

/// Tensors by MXNet's ImageRecordIter, written by tools/oracle/goldens/augmentation.py.
private struct Goldens: Decodable {
  struct Case: Decodable {
    let file: String, resize: Int?, shape: [Int], draw: [String: Double], tensor: Data
  }
  let files: [String: Data]
  let cases: [Case]

  static func read() throws -> Goldens {
    try JSONDecoder().decode(Goldens.self, from: golden("augmentation.json"))
  }
}

extension Augmentation.Draw {
  fileprivate init(_ values: [String: Double]) {
    self.init()
    if let across = values["across"], let down = values["down"] { place = (across, down) }
    if let shear = values["shear"], let angle = values["angle"], let ratio = values["ratio"] {
      warp = Warp(shear: Float(shear), angle: Int(angle), ratio: Float(ratio))
    }
    if let hue = values["hue"], let saturation = values["saturation"], let lightness = values["lightness"] {
      colors = Colors(hue: Int(hue), saturation: Int(saturation), lightness: Int(lightness))
    }
    isMirrored = values["mirrored"] == 1
    fill = UInt8(values["fill"] ?? 127)
  }
}

private func tensor(_ preset: Preset, _ file: [UInt8], _ draw: Augmentation.Draw) throws -> [Float] {
  var tensor = [Float](repeating: .nan, count: preset.count)
  var span = tensor.mutableSpan
  try preset.fill(&span, from: file.span, draw)
  return tensor
}

private func photo(_ width: Int, _ height: Int, seed: UInt64 = 1) throws -> [UInt8] {
  try encode(Pixels.noise(seed: seed, width: width, height: height, channels: 3), as: .png(level: 1))
}

@Suite struct AugmentationTests {
  @Test("tensors are ImageRecordIter's for the same draws, shifted colours to one level")
  func goldens() throws {
    let goldens = try Goldens.read()
    #expect(goldens.cases.count == 21)
    for golden in goldens.cases {
      let file = try #require(goldens.files[golden.file])
      let draw = Augmentation.Draw(golden.draw)
      let made = try tensor(Preset(resize: golden.resize, shape: golden.shape), [UInt8](file), draw)
      let apart = zip(made, golden.tensor).map { abs($0 - Float($1)) }
      #expect(made.count == golden.tensor.count)
      let (most, share) = draw.colors == nil ? (Float(0), 0.0) : (1, 0.01)
      #expect(apart.allSatisfy { $0 <= most }, "\(golden.file), \(golden.draw)")
      #expect(Double(apart.count { $0 > 0 }) <= share * Double(apart.count), "\(golden.file), \(golden.draw)")
    }
  }

  @Test("without augmentation the tensor is that of an evaluation", arguments: [nil, 40, 64])
  func none(_ resize: Int?) throws {
    for (shape, size) in [([3, 30, 31], (50, 44)), ([3, 30, 31], (31, 30)), ([1, 28, 28], (29, 90))] {
      let preset = try Preset(resize: resize, shape: shape, mean: [1, 2, 3], std: [4, 5, 6])
      let file = try photo(size.0, size.1)
      var expected = [Float](repeating: .nan, count: preset.count)
      var span = expected.mutableSpan
      try preset.fill(&span, from: file.span)
      #expect(try tensor(preset, file, Augmentation().draw(seed: 3, epoch: 4, image: 5)) == expected)
    }
  }

  @Test(
    "an image smaller than the shape is refused in SageMaker's words",
    arguments: [(31, 40), (40, 31), (10, 10)])
  func small(_ width: Int, _ height: Int) throws {
    let file = try photo(width, height)
    let expected = ImageError(.smallerThanShape(width: width, height: height, shape: [3, 32, 32]))
    #expect(throws: expected) { try tensor(Preset(shape: [3, 32, 32]), file, Augmentation.Draw()) }
    #expect(throws: expected) { try Preset(shape: [3, 32, 32]).checkSize(probe(file.span)) }
    #expect(
      expected.description
        == "input image size smaller than input shape: \(width)x\(height) pixels, from which 32x32 are to be cropped"
    )
    // A resize makes it large enough.
    _ = try tensor(Preset(resize: 33, shape: [3, 32, 32]), file, Augmentation.Draw())
  }

  @Test("a mirrored tensor has each row backwards")
  func mirror() throws {
    let preset = try Preset(shape: [3, 7, 9])
    let file = try photo(20, 15)
    var draw = Augmentation.Draw()
    draw.warp = .init(shear: 0.05, angle: 4, ratio: 1.1)
    draw.colors = .init(hue: 5, saturation: -9, lightness: 20)
    draw.place = (0.2, 0.9)
    let straight = try tensor(preset, file, draw)
    draw.isMirrored = true
    let rows = stride(from: 0, to: straight.count, by: 9).flatMap { straight[$0..<$0 + 9].reversed() }
    #expect(try tensor(preset, file, draw) == rows)
  }

  @Test("warping a part of a picture gives the same pixels as warping the whole")
  func parts() throws {
    var generator = SplitMix64(seed: 12)
    for seed in 0..<60 as Range<UInt64> {
      let size = ResizePlan.Size(
        width: .random(in: 1...40, using: &generator), height: .random(in: 1...40, using: &generator))
      let pixels = try Pixels.noise(
        seed: seed, width: size.width, height: size.height, channels: seed % 2 == 0 ? 3 : 1)
      let warp = Warp(
        .init(
          shear: .random(in: -1...1, using: &generator), angle: .random(in: -180...180, using: &generator),
          ratio: .random(in: 0.1...3, using: &generator)), of: size, border: 9)
      let whole = try warp.applied(to: pixels, at: Offset(x: 0, y: 0), keeping: pixels.bounds)
      let kept = Window.random(within: size.width, size.height, using: &generator)
      let needed = warp.needed(for: kept)
      let part = try warp.applied(
        to: pixels.cropped(to: needed), at: Offset(x: needed.x, y: needed.y), keeping: kept)
      let expected = try whole.cropped(to: kept)
      #expect(part.content == expected.content, "seed \(seed), \(size), \(kept)")
    }
  }

  @Test("the lightness of a grey image is shifted, and clamped")
  func grey() throws {
    let pixels = try Pixels(width: 3, height: 1, channels: 1, samples: ([10, 100, 250] as [UInt8]).span)
    let file = try encode(pixels, as: .png(level: 1))
    var draw = Augmentation.Draw()
    draw.colors = .init(hue: 30, saturation: 50, lightness: 20)
    #expect(try tensor(Preset(shape: [1, 1, 3]), file, draw) == [30, 120, 255])
    draw.colors = .init(hue: 30, saturation: 50, lightness: -Int.max)
    #expect(try tensor(Preset(shape: [1, 1, 3]), file, draw) == [0, 0, 0])
  }

  @Test("any draw is applied without trapping", arguments: [-1.0, 0, 0.5, 1, 7, .infinity])
  func wild(_ place: Double) throws {
    var draw = Augmentation.Draw()
    draw.place = (place, place)
    draw.warp = .init(shear: Float(place), angle: 90, ratio: 1)
    #expect(try tensor(Preset(shape: [3, 4, 4]), photo(9, 9), draw).allSatisfy { (0...255).contains($0) })
  }
}
