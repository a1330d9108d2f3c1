import Foundation
import TestSupport
import Testing

@testable import Imaging

/// One resize by OpenCV 4.8, written by tools/oracle/goldens/resize.py.
private struct Golden: Decodable {
  let filter: Filter
  let depth: Int, channels: Int
  let from: [Int], to: [Int]
  let seed: UInt64
  let hard: Bool
  let checksum: String

  static func all() throws -> [Golden] {
    struct File: Decodable { let cases: [Golden] }
    return try JSONDecoder().decode(File.self, from: golden("resize.json")).cases
  }

  func source() throws -> Pixels {
    try .noise(
      seed: seed, width: from[0], height: from[1], channels: channels, depth: depth == 16 ? .sixteen : .eight,
      hard: hard)
  }
}

@Suite struct ResizeTests {
  @Test("every filter equals OpenCV's, with every kernel set")
  func goldens() throws {
    let all = try Golden.all()
    #expect(all.count == 420)
    for golden in all {
      let pixels = try golden.source()
      let scaling = ResizePlan(
        .init(width: golden.from[0], height: golden.from[1]),
        to: .init(width: golden.to[0], height: golden.to[1]),
        golden.filter, kept: Window(x: 0, y: 0, width: golden.to[0], height: golden.to[1]),
        depth: pixels.depth)
      for set in KernelSet.available {
        let made = try pixels.scaled(by: scaling, at: Offset(x: 0, y: 0), set)
        #expect(checksum(made.content) == golden.checksum, "\(set.name): \(golden)")
      }
    }
  }

  @Test(
    "a part of a resize has the bits it has in the whole, made of no more than it needs",
    arguments: Filter.allCases)
  func parts(_ filter: Filter) throws {
    var generator = SplitMix64(seed: 11)
    for seed in 0..<60 as Range<UInt64> {
      let channels = [1, 3, 4][Int(seed % 3)]
      let depth: Pixels.Depth = seed % 2 == 0 ? .eight : .sixteen
      var sides = (0..<4).map { _ in Int.random(in: 1...70, using: &generator) }
      if seed % 5 == 0 { sides = [sides[2] * 2, sides[3] * 2, sides[2], sides[3]] }
      let pixels = try Pixels.noise(
        seed: seed, width: sides[0], height: sides[1], channels: channels, depth: depth)
      let whole = try pixels.resized(width: sides[2], height: sides[3], filter: filter)
      let kept = Window.random(within: sides[2], sides[3], using: &generator)
      let scaling = ResizePlan(
        .init(width: sides[0], height: sides[1]), to: .init(width: sides[2], height: sides[3]), filter,
        kept: kept, depth: depth)
      let needed = scaling.needed
      let part = try pixels.cropped(to: needed).scaled(by: scaling, at: Offset(x: needed.x, y: needed.y))
      let expected = try whole.cropped(to: kept).content
      #expect(part.content == expected, "seed \(seed), \(sides), \(kept)")
    }
  }

  @Test("what is outside the window has no influence", arguments: Filter.allCases)
  func windows(_ filter: Filter) throws {
    var generator = SplitMix64(seed: 12)
    for seed in 0..<40 as Range<UInt64> {
      let pixels = try Pixels.noise(seed: seed, width: 50, height: 41, channels: 3)
      let window = Window.random(within: 50, 41, using: &generator)
      let (width, height) = (
        Int.random(in: 1...60, using: &generator), Int.random(in: 1...60, using: &generator)
      )
      let alone = try pixels.cropped(to: window).resized(width: width, height: height, filter: filter).content
      let inside = try pixels.resized(width: width, height: height, filter: filter, from: window).content
      #expect(inside == alone, "seed \(seed), \(window) to \(width)x\(height)")
    }
  }

  @Test("linear follows the written model, in whole numbers", arguments: [1, 3, 4])
  func linearModel(_ channels: Int) throws {
    for (seed, sizes) in [(5, 7, 9, 11), (64, 48, 33, 29), (9, 40, 200, 3), (2, 2, 2, 5), (40, 30, 20, 15)]
      .enumerated()
    {
      let pixels = try Pixels.noise(seed: UInt64(seed), width: sizes.0, height: sizes.1, channels: channels)
      let made = try pixels.resized(width: sizes.2, height: sizes.3)
      var wrong: [[Int]] = []
      for y in 0..<sizes.3 {
        for x in 0..<sizes.2 {
          for c in 0..<channels where made.sample(x, y, c) != linear(pixels, sizes.2, sizes.3, x, y, c) {
            wrong.append([x, y, c])
          }
        }
      }
      #expect(wrong.isEmpty, "\(sizes), \(wrong.count) samples, the first at \(wrong.first ?? [])")
    }
  }

  @Test("smooth filters are within one level of their formulas in double precision", arguments: [8, 16])
  func models(_ bits: Int) throws {
    for (seed, sizes) in [(13, 9, 31, 22), (40, 33, 17, 16), (30, 50, 31, 21)].enumerated() {
      let pixels = try Pixels.noise(
        seed: UInt64(seed), width: sizes.0, height: sizes.1, channels: 3, depth: bits == 8 ? .eight : .sixteen
      )
      for (filter, model) in [(Filter.cubic, Formula.cubic), (.lanczos, .lanczos)] {
        let made = try pixels.resized(width: sizes.2, height: sizes.3, filter: filter)
        let (across, down) = (model.taps(sizes.0, sizes.2), model.taps(sizes.1, sizes.3))
        expectClose(made, pixels, across, down, most: bits == 8 ? 255 : 65535, "\(filter) \(sizes)")
      }
      if sizes.0 > sizes.2, sizes.1 > sizes.3 {
        let made = try pixels.resized(width: sizes.2, height: sizes.3, filter: .area)
        let (across, down) = (coverage(sizes.0, sizes.2), coverage(sizes.1, sizes.3))
        expectClose(made, pixels, across, down, most: bits == 8 ? 255 : 65535, "area \(sizes)")
      }
    }
  }

  @Test("the short edge gets the requested length, the long one is rounded down")
  func shortEdges() throws {
    for (width, height, edge, expected) in [
      (300, 200, 256, [384, 256]), (200, 300, 256, [256, 384]), (5, 7, 3, [3, 4]), (7, 5, 3, [4, 3]),
      (1, 400, 256, [256, 102_400]), (640, 640, 1, [1, 1]), (3, 1, 100, [300, 100]),
    ] {
      let size = try shortEdgeSize(width: width, height: height, edge: edge)
      #expect([size.width, size.height] == expected)
    }
    #expect(throws: ImageError(.tooLarge(width: .max, height: 1, limit: .max / 2))) {
      try shortEdgeSize(width: .max, height: 1, edge: 2)
    }
  }

  @Test("a result over the limit is refused, one at the limit is not")
  func limit() throws {
    let pixels = try Pixels.noise(seed: 1, width: 1, height: 4, channels: 3)
    for (width, height) in [(256, 102_400 * 1024), (Int.max, 2), (11, 10)] {
      let error = #expect(throws: ImageError.self) {
        _ = try pixels.resized(width: width, height: height, limit: width == 11 ? 109 : 178_956_970).width
      }
      #expect(
        error?.reason == .tooLarge(width: width, height: height, limit: width == 11 ? 109 : 178_956_970))
    }
    #expect(try pixels.resized(width: 11, height: 10, limit: 110).width == 11)
  }

  @Test("the central square lies half a pixel up or left where it cannot be exact")
  func centralSquare() throws {
    for (width, height, expected) in [
      (5, 2, Window(x: 1, y: 0, width: 2, height: 2)), (2, 5, Window(x: 0, y: 1, width: 2, height: 2)),
      (6, 2, Window(x: 2, y: 0, width: 2, height: 2)), (3, 3, Window(x: 0, y: 0, width: 3, height: 3)),
    ] {
      let pixels = try Pixels.noise(seed: 1, width: width, height: height, channels: 1)
      #expect(pixels.centralSquare == expected)
    }
  }

  @Test("a crop holds the samples of its window", arguments: [Pixels.Depth.eight, .sixteen])
  func crop(_ depth: Pixels.Depth) throws {
    let pixels = try Pixels.noise(seed: 3, width: 9, height: 7, channels: 3, depth: depth)
    let part = try pixels.cropped(to: Window(x: 2, y: 3, width: 4, height: 4))
    for y in 0..<4 {
      for x in 0..<4 {
        #expect((0..<3).allSatisfy { part.sample(x, y, $0) == pixels.sample(x + 2, y + 3, $0) })
      }
    }
  }
}
