/// The random changes that a training image may undergo, and their ranges: MXNet's default augmenter
/// (`image_aug_default.cc`).
///
/// The image is decoded and its shorter side resized; one affine map shears, rotates and stretches it; a crop is
/// taken at a random position, shifted in hue, lightness and saturation, and mirrored.
public struct Augmentation: Hashable, Sendable, Codable {
  /// SageMaker's `augmentation_type`; each one adds to the one before.
  public enum Kind: String, CaseIterable, Codable, Sendable {
    /// A random crop; every second image, at random, is mirrored.
    case crop
    /// Also a random hue, saturation and lightness.
    case cropColor = "crop_color"
    /// Also a random rotation, shear and aspect ratio.
    case cropColorTransform = "crop_color_transform"
  }

  /// Whether the crop is taken anywhere with equal probability; otherwise it is the center.
  public var cropsAtRandom = false
  /// Whether images are mirrored left to right with the probability 1/2.
  public var mirrors = false
  /// The largest offsets, either way, in OpenCV's 8-bit HLS, where a step of hue is two degrees. Small offsets are more
  /// likely than large ones.
  public var hue = 0, saturation = 0, lightness = 0
  /// The largest rotation in whole degrees, either way.
  public var rotation = 0
  /// The largest shear, either way, in columns per row.
  public var shear: Float = 0
  /// The ratio of width to height is multiplied by a factor from 1 - `aspect` to 1 + `aspect`.
  public var aspect: Float = 0
  /// The sample value of pixels outside the image; 127 in MXNet's training examples.
  public var fill: UInt8 = 127

  /// No augmentation: the center crop of each image.
  public init() {}

  /// One of SageMaker's types, with the ranges of MXNet's `--aug-level` 1, 2 and 3; nil for no augmentation.
  public init(_ kind: Kind?) {
    guard let kind else { return }
    cropsAtRandom = true
    mirrors = true
    if kind == .crop { return }
    (hue, saturation, lightness) = (36, 50, 50)
    if kind == .cropColor { return }
    (rotation, shear, aspect) = (10, 0.1, 0.25)
  }

  /// The changes drawn for one image.
  public struct Draw: Hashable, Sendable {
    /// The parameters of the affine map.
    public struct Warp: Hashable, Sendable {
      /// In columns per row.
      public var shear: Float
      /// The rotation in degrees, clockwise where positive.
      public var angle: Int
      /// The factor for the ratio of width to height.
      public var ratio: Float

      public init(shear: Float, angle: Int, ratio: Float) {
        self.shear = shear
        self.angle = angle
        self.ratio = ratio
      }
    }
    /// Offsets in OpenCV's 8-bit HLS.
    public struct Colors: Hashable, Sendable {
      public var hue: Int, saturation: Int, lightness: Int

      public init(hue: Int, saturation: Int, lightness: Int) {
        self.hue = hue
        self.saturation = saturation
        self.lightness = lightness
      }
    }
    /// The position of the crop, from 0 for the first possible one to just below 1 for the last; nil for the center,
    /// half a pixel up or left where it cannot be exact.
    public var place: (across: Double, down: Double)? {
      get { across.flatMap { across in down.map { (across, $0) } } }
      set { (across, down) = (newValue?.across, newValue?.down) }
    }
    private var across: Double?, down: Double?
    /// Nil: the image is not warped.
    public var warp: Warp?
    /// Nil: colours are not converted. Offsets of 0 may still change samples, because the conversion to HLS and back
    /// rounds.
    public var colors: Colors?
    /// Whether the crop is mirrored left to right.
    public var isMirrored = false
    /// The sample value of pixels outside the image.
    public var fill: UInt8 = 127

    /// The center crop, unchanged.
    public init() {}
  }

  /// Draws the changes for one image, with MXNet's distributions. The result depends only on the parameters.
  ///
  /// - Parameters:
  ///   - seed: the seed of the training.
  ///   - epoch: the number of the epoch, from 0.
  ///   - image: the image's index in the data set, not its place in the epoch.
  public func draw(seed: UInt64, epoch: Int, image: Int) -> Draw {
    var chance = KeyedGenerator(
      seed, UInt64(truncatingIfNeeded: epoch), UInt64(truncatingIfNeeded: image))
    // All are drawn, used or not, so that the crops of a seed are the same with colour changes and without.
    let place = (chance.fraction(), chance.fraction())
    let isMirrored = chance.next() >> 63 == 1
    let colors = (0..<3).map { _ in (chance.fraction() + 4 * chance.fraction()) / 5 }
    let (shear, ratio) = (Float(chance.fraction()), Float(chance.fraction()))
    let angle = chance.index(below: 2 * max(0, rotation) + 1) - max(0, rotation)

    var draw = Draw()
    draw.fill = fill
    if cropsAtRandom { draw.place = place }
    draw.isMirrored = mirrors && isMirrored
    // Truncated towards 0, as in C.
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

/// A random number generator for one item among many, such as one image of one epoch. Its numbers depend only on its
/// key, not on what was drawn for other items.
///
/// The generator is SplitMix64 (Steele, Lea, Flood 2014); the key's numbers are mixed into its state one by one.
package struct KeyedGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// - Parameter key: the numbers that identify the item: seed, epoch, index.
  package init(_ key: UInt64...) {
    state = 0x9e37_79b9_7f4a_7c15
    for number in key { state = Self.mixed(state &+ 0x9e37_79b9_7f4a_7c15 ^ Self.mixed(number)) }
  }

  /// The next 64 random bits.
  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Self.mixed(state)
  }

  /// A number in 0..<1, in steps of 2^-53.
  package mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// An integer in 0..<bound. The probabilities differ by at most 2^-64.
  ///
  /// - Precondition: `bound` is at least 1.
  package mutating func index(below bound: Int) -> Int {
    precondition(bound >= 1, "there is something to draw from")
    return Int(UInt64(bound).multipliedFullWidth(by: next()).high)
  }

  /// The finalizer of SplitMix64: each bit of the result depends on each bit of `value`.
  package static func mixed(_ value: UInt64) -> UInt64 {
    var word = value
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }
}
