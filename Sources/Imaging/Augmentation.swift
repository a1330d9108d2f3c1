/// What may be done by chance to a training image, and how far: MXNet's default augmenter (`image_aug_default.cc`).
///
/// An image is decoded, its short edge resized, sheared, turned and stretched by one affine map, cut out at a random
/// place, shifted in hue, lightness and saturation, and mirrored.
public struct Augmentation: Hashable, Sendable, Codable {
  /// SageMaker's `augmentation_type`; each one adds to the one before.
  public enum Kind: String, CaseIterable, Codable, Sendable {
    /// A random crop, and one image in two mirrored.
    case crop
    /// Hue, saturation and lightness too.
    case cropColor = "crop_color"
    /// Rotation, shear and aspect too.
    case cropColorTransform = "crop_color_transform"
  }

  /// Each place of the crop has the same chance; else it is the middle.
  public var cropsAtRandom = false
  /// One image in two is mirrored left to right.
  public var mirrors = false
  /// The largest offsets to OpenCV's HLS of 8 bits: hue in steps of two degrees. Small offsets are likelier.
  public var hue = 0, saturation = 0, lightness = 0
  /// The largest turn in whole degrees, either way.
  public var rotation = 0
  /// The largest shear, in columns a row, either way.
  public var shear: Float = 0
  /// Width to height is stretched by 1 - `aspect` to 1 + `aspect`.
  public var aspect: Float = 0
  /// What comes in from outside the image; the value of MXNet's training examples.
  public var fill: UInt8 = 127

  /// Nothing: the middle of each image.
  public init() {}

  /// SageMaker's types, with the ranges of MXNet's `--aug-level` 1, 2 and 3; nil: nothing.
  public init(_ kind: Kind?) {
    guard let kind else { return }
    cropsAtRandom = true
    mirrors = true
    if kind == .crop { return }
    (hue, saturation, lightness) = (36, 50, 50)
    if kind == .cropColor { return }
    (rotation, shear, aspect) = (10, 0.1, 0.25)
  }

  /// What happens to one image: the outcome of all draws.
  public struct Draw: Hashable, Sendable {
    public struct Warp: Hashable, Sendable {
      public var shear: Float
      /// Degrees, clockwise where positive.
      public var angle: Int
      /// Width to height.
      public var ratio: Float

      public init(shear: Float, angle: Int, ratio: Float) {
        self.shear = shear
        self.angle = angle
        self.ratio = ratio
      }
    }
    /// Offsets to OpenCV's HLS of 8 bits.
    public struct Colors: Hashable, Sendable {
      public var hue: Int, saturation: Int, lightness: Int

      public init(hue: Int, saturation: Int, lightness: Int) {
        self.hue = hue
        self.saturation = saturation
        self.lightness = lightness
      }
    }
    /// Where the crop lies between the first place (0) and the last (below 1); nil is the middle, half a pixel up or
    /// left where it cannot be exact.
    public var place: (across: Double, down: Double)? {
      get { across.flatMap { across in down.map { (across, $0) } } }
      set { (across, down) = (newValue?.across, newValue?.down) }
    }
    private var across: Double?, down: Double?
    public var warp: Warp?
    /// Offsets of nothing change an image all the same, by the rounding of its colours there and back.
    public var colors: Colors?
    public var isMirrored = false
    public var fill: UInt8 = 127

    /// The middle of the image, as it is.
    public init() {}
  }

  /// The draws for one image, which depend on nothing but the key, in MXNet's distributions.
  ///
  /// - Parameters:
  ///   - image: the image's number in its set, not in the epoch's order.
  ///   - epoch: counts from 0.
  public func draw(seed: UInt64, epoch: Int, image: Int) -> Draw {
    var chance = KeyedGenerator(
      seed, UInt64(truncatingIfNeeded: epoch), UInt64(truncatingIfNeeded: image))
    // All are drawn, used or not, so that the crops of one seed are the same with colours and without.
    let place = (chance.fraction(), chance.fraction())
    let isMirrored = chance.next() >> 63 == 1
    let colors = (0..<3).map { _ in (chance.fraction() + 4 * chance.fraction()) / 5 }
    let (shear, ratio) = (Float(chance.fraction()), Float(chance.fraction()))
    let angle = chance.index(below: 2 * max(0, rotation) + 1) - max(0, rotation)

    var draw = Draw()
    draw.fill = fill
    if cropsAtRandom { draw.place = place }
    draw.isMirrored = mirrors && isMirrored
    // Truncated towards 0, as C does.
    func offset(_ share: Double, _ most: Int) -> Int {
      Int(exactly: (share * 2 * Double(most) - Double(most)).rounded(.towardZero)) ?? 0
    }
    if hue != 0 || saturation != 0 || lightness != 0 {
      draw.colors = Draw.Colors(
        hue: offset(colors[0], hue), saturation: offset(colors[1], saturation),
        lightness: offset(colors[2], lightness))
    }
    if rotation > 0 || self.shear > 0 || aspect > 0 {
      draw.warp = Draw.Warp(
        shear: shear * self.shear * 2 - self.shear, angle: angle, ratio: ratio * aspect * 2 + (1 - aspect))
    }
    return draw
  }
}

/// Repeatable chance for one thing among many, such as one image of one epoch: it depends on its key alone, not on what
/// was drawn for others before. SplitMix64 (Steele, Lea, Flood 2014), the key mixed in number by number.
package struct KeyedGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(_ key: UInt64...) {
    state = 0x9e37_79b9_7f4a_7c15
    for number in key { state = Self.mixed(state &+ 0x9e37_79b9_7f4a_7c15 ^ Self.mixed(number)) }
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Self.mixed(state)
  }

  /// 0..<1 in steps of 2^-53.
  package mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// 0..<bound; each with the same chance up to bound / 2^64.
  /// - Precondition: `bound` is at least 1.
  package mutating func index(below bound: Int) -> Int {
    precondition(bound >= 1, "there is something to draw from")
    return Int(UInt64(bound).multipliedFullWidth(by: next()).high)
  }

  /// Each bit of the result depends on each bit of `value`.
  private static func mixed(_ value: UInt64) -> UInt64 {
    var word = value
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }
}
