import TestSupport

@testable import Imaging

extension Pixels {
  /// Noise; `hard` makes it black and white, so that filters overshoot.
  static func noise(
    seed: UInt64, width: Int, height: Int, channels: Int, depth: Depth = .eight, hard: Bool = false
  ) throws -> Pixels {
    let pixels = try Pixels(width: width, height: height, channels: channels, depth: depth)
    var generator = SplitMix64(seed: seed)
    for (index, byte) in generator.bytes(pixels.bytes.count).enumerated() {
      pixels.bytes[index] = hard ? (byte < 128 ? 0 : 255) : byte
    }
    return pixels
  }

  /// All bytes, row after row.
  var content: [UInt8] { Array(bytes) }

  func sample(_ x: Int, _ y: Int, _ channel: Int) -> Int {
    let index = (y * width + x) * channels + channel
    return depth == .eight ? Int(bytes[index]) : Int(bytes.bindMemory(to: UInt16.self)[index])
  }
}

extension Window {
  /// A random part of a picture.
  static func random(within width: Int, _ height: Int, using generator: inout SplitMix64) -> Window {
    let (x, y) = (Int.random(in: 0..<width, using: &generator), Int.random(in: 0..<height, using: &generator))
    return Window(
      x: x, y: y, width: .random(in: 1...width - x, using: &generator),
      height: .random(in: 1...height - y, using: &generator))
  }
}
