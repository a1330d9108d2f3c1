import Testing

@testable import Sampling

@Suite("Drawing")
struct CanvasTests {
  @Test("an outline covers as much of each pixel as lies in it")
  func coverage() {
    let canvas = drawn(.rectangle(1.25, 1, 3.5, 2.5))
    #expect(canvas[0, 1].x == 0)
    #expect(abs(canvas[1, 1].x - 0.75) < 1e-5)
    #expect(canvas[2, 1].x == 1)
    #expect(abs(canvas[3, 1].x - 0.5) < 1e-5)
    #expect(abs(canvas[2, 2].x - 0.5) < 1e-5)
    #expect(abs(canvas[1, 2].x - 0.375) < 1e-5)
    #expect(canvas[2, 3].x == 0)
  }

  @Test(
    "the covered area is the outline's own, wherever it lies",
    arguments: [
      (Outline.circle(Point(16, 12), 9), 3.14159 * 81 * 0.9971),
      (.polygon([Point(3.3, 2.1), Point(28.7, 9.9), Point(11.2, 20.4)]), 201.6),
      (.ellipse(Point(16, 12), Point(12, 3), turned: 0.13), 3.14159 * 36 * 0.9971),
      (.rectangle(-5, -5, 40, 40), 32 * 24),
      (.rectangle(-5, 3, 4, 7), 16),
      (.rectangle(30, 20, 99, 99), 8),
      (.rectangle(40, 3, 50, 7), 0),
      (.rectangle(3, -9, 5, -2), 0),
      (.rectangle(28, 3, 32, 5), 8),
    ] as [(Outline, Double)])
  func area(_ outline: Outline, _ expected: Double) {
    let total = drawn(outline).pixels.reduce(0.0) { $0 + Double($1.x) }
    #expect(abs(total - expected) < 0.02 + expected * 0.002, "\(total)")
  }

  @Test("overlapping loops cover once, and one of opposite orientation makes a hole")
  func overlap() {
    let square = Outline.rectangle(4, 4, 12, 12)
    let twice = drawn(square + .rectangle(8, 4, 16, 12))
    #expect(twice.pixels.allSatisfy { $0.x <= 1 })
    #expect(twice.pixels.reduce(0) { $0 + $1.x } == 96)
    let hole = Outline(loops: [[Point(6, 6), Point(6, 10), Point(10, 10), Point(10, 6)]])
    #expect(drawn(square + hole).pixels.reduce(0) { $0 + $1.x } == 48)
  }

  @Test("nothing is left over from one outline to the next")
  func leftover() {
    var canvas = Canvas(width: 32, height: 24)
    for i in 0..<40 { canvas.fill(.circle(Point(Double(i), Double(i % 24)), 8), .plain(.one)) }
    canvas.fill(.plain(.zero))
    canvas.fill(.rectangle(2, 2, 3, 3), .plain(.one))
    #expect(canvas.pixels.reduce(0) { $0 + $1.x } == 1)
  }

  @Test("sine agrees with the system's")
  func sineTable() {
    for (turns, expected) in [
      (0, 0), (0.25, 1), (-0.25, -1), (0.5, 0), (1.0 / 12, 0.5), (7.125, 0.707_106_781_186_5),
    ] {
      #expect(abs(sine(turns) - expected) < 1e-11)
    }
    #expect(abs(cosine(1.0 / 3) + 0.5) < 1e-11)
  }

  @Test("every subject can be told from its background, at any size", arguments: Subject.allCases)
  func visible(_ subject: Subject) {
    for size in [(16, 16), (17, 90), (120, 31)] {
      var random = SampleRandom(seed: 5, size.0)
      let canvas = draw(subject, width: size.0, height: size.1, noisy: true, &random)
      let levels = Set(canvas.rgb())
      #expect(levels.count > 20, "\(size)")
    }
  }

  @Test("the pictures of a seed stay the same, on every machine", arguments: zip(Subject.allCases, goldens))
  func golden(_ subject: Subject, _ expected: String) {
    var random = SampleRandom(seed: 9)
    let canvas = draw(subject, width: 40, height: 32, noisy: true, &random)
    // FNV-1a
    var sum: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in canvas.rgb() { sum = (sum ^ UInt64(byte)) &* 0x100_0000_01b3 }
    #expect(String(sum, radix: 16) == expected)
  }

  /// Checksums of the pixels, in the order of the classes.
  private static let goldens = [
    "e47292f86616a228", "3b312483037b538f", "fa2aba26bd1e781a", "c44c1a7df29f24fc", "db27d0f1a440573c",
    "3c346ecd5d5a219a", "bc46db28df3517af", "ac3895f0f66ec4bd", "a8671da6cb42525", "277e33e8858a09e0",
    "8d1aba6f52baeff3", "5dfa3b6b82cc7da4",
  ]

  private func drawn(_ outline: Outline) -> Canvas {
    var canvas = Canvas(width: 32, height: 24)
    canvas.fill(outline.loops.count == 1 ? outline.turningClockwise() : outline, .plain(.one))
    return canvas
  }
}
