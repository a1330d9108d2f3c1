import Testing

@testable import Imaging

@Suite struct AugmentationDrawTests {
  private func draws(_ augmentation: Augmentation, count: Int = 20_000) -> [Augmentation.Draw] {
    (0..<count).map { augmentation.draw(seed: 5, epoch: $0 % 7, image: $0) }
  }

  /// Whether the observed share is within five standard deviations of `expected`.
  private func isNear(_ happened: Int, of count: Int, _ expected: Double) -> Bool {
    let deviation = (expected * (1 - expected) / Double(count)).squareRoot()
    return abs(Double(happened) / Double(count) - expected) < 5 * deviation + 1e-9
  }

  @Test("SageMaker's types have the ranges of its manual")
  func kinds() {
    #expect(Augmentation(nil) == Augmentation())
    let crop = Augmentation(.crop)
    #expect(crop.cropsAtRandom && crop.mirrors && crop.hue == 0 && crop.rotation == 0)
    let color = Augmentation(.cropColor)
    #expect((color.hue, color.saturation, color.lightness, color.rotation) == (36, 50, 50, 0))
    let all = Augmentation(.cropColorTransform)
    #expect(Augmentation.Kind.allCases.map(\.rawValue) == ["crop", "crop_color", "crop_color_transform"])
    #expect((all.hue, all.rotation, all.shear, all.aspect) == (36, 10, 0.1, 0.25))
  }

  @Test("a draw depends on seed, epoch and image, and on nothing else")
  func keys() {
    let augmentation = Augmentation(.cropColorTransform)
    let draw = augmentation.draw(seed: 1, epoch: 2, image: 3)
    #expect(draw == augmentation.draw(seed: 1, epoch: 2, image: 3))
    for (seed, epoch, image) in [(2, 2, 3), (1, 3, 3), (1, 2, 4), (3, 2, 1), (2, 1, 3)]
      as [(UInt64, Int, Int)]
    {
      #expect(draw != augmentation.draw(seed: seed, epoch: epoch, image: image))
    }
    // Crops do not change where colours are drawn too.
    #expect(Augmentation(.crop).draw(seed: 1, epoch: 2, image: 3).place?.across == draw.place?.across)
  }

  @Test("every position of a crop is equally likely, the first and the last too")
  func places() throws {
    let preset = try Preset(shape: [3, 10, 10])
    var columns = [Int](repeating: 0, count: 5)
    var rows = [Int](repeating: 0, count: 3)
    let all = draws(Augmentation(.crop))
    for draw in all {
      let crop = try AugmentationPlan(preset, draw, from: .init(width: 14, height: 12)).crop
      columns[crop.x] += 1
      rows[crop.y] += 1
    }
    #expect(columns.allSatisfy { isNear($0, of: all.count, 1 / 5) })
    #expect(rows.allSatisfy { isNear($0, of: all.count, 1 / 3) })
  }

  @Test("half of the images are mirrored, whatever the crop")
  func mirrors() {
    let all = draws(Augmentation(.crop))
    #expect(isNear(all.count { $0.isMirrored }, of: all.count, 1 / 2))
    #expect(isNear(all.count { $0.isMirrored && ($0.place?.across ?? 0) < 0.5 }, of: all.count, 1 / 4))
  }

  /// MXNet's share is (u + 4 v) / 5, a trapezium; the offset is 2 * most * share - most, cut to a whole number.
  @Test(
    "offsets of colours have MXNet's trapezium, truncated towards 0",
    arguments: ["hue", "saturation", "lightness"])
  func colors(_ name: String) throws {
    let augmentation = Augmentation(.cropColor)
    let most = name == "hue" ? 36 : 50
    let all = draws(augmentation)
    let offsets = try all.map { draw in
      let colors = try #require(draw.colors)
      return name == "hue" ? colors.hue : name == "saturation" ? colors.saturation : colors.lightness
    }
    /// The probability of a share below x.
    func below(_ x: Double) -> Double {
      let y = min(max(x, 0), 1) * 5
      let parts = y < 1 ? y * y / 2 : y < 4 ? y - 0.5 : 4 - (5 - y) * (5 - y) / 2
      return parts / 4
    }
    #expect(offsets.allSatisfy { abs($0) <= most })
    for bound in [-most + 3, -most / 2, -1, 0, 1, most / 3, most - 2] {
      // Truncated: an offset of at most b < 0 is a number of at most b; of at most b >= 0, one below b + 1.
      let limit = Double(bound) + (bound < 0 ? 0 : 1)
      let chance = below((limit + Double(most)) / Double(2 * most))
      #expect(isNear(offsets.count { $0 <= bound }, of: all.count, chance), "\(bound)")
    }
  }

  @Test("angles are whole and even, shear and aspect lie within their ranges")
  func warps() throws {
    let warps = try draws(Augmentation(.cropColorTransform)).map { try #require($0.warp) }
    for angle in -10...10 {
      #expect(isNear(warps.count { $0.angle == angle }, of: warps.count, 1 / 21), "\(angle)")
    }
    #expect(
      warps.allSatisfy { abs($0.shear) <= 0.1 && (0.75...1.25).contains($0.ratio) && abs($0.angle) <= 10 })
    for share in [0.1, 0.5, 0.8] {
      #expect(isNear(warps.count { Double($0.shear) < 0.2 * share - 0.1 }, of: warps.count, share))
      #expect(isNear(warps.count { Double($0.ratio) < 0.5 * share + 0.75 }, of: warps.count, share))
    }
    #expect(draws(Augmentation(.cropColor), count: 10).allSatisfy { $0.warp == nil })
  }
}
