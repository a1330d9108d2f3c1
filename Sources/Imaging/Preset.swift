/// How a picture becomes the input tensor of a network: all preprocessing parameters, for training and evaluation.
///
/// As JSON: `{"mode":"crop","resize":256,"shape":[3,224,224],"mean":[0,0,0],"std":[1,1,1],"filter":"linear"}`.
public struct Preset: Hashable, Sendable {
  /// How a picture is brought to the shape.
  public enum Mode: String, CaseIterable, Codable, Sendable {
    /// MXNet's ImageRecordIter at evaluation: the shorter side is resized if `resize` is set, the picture is enlarged
    /// if it is smaller than the shape, and the center is cropped.
    case crop
    /// SageMaker's endpoint: stretched to the shape, ignoring proportions and `resize`.
    case squash
  }
  /// How a picture is brought to the shape.
  public let mode: Mode
  /// The length in pixels that the shorter side is resized to first; nil keeps the picture's size.
  public let resize: Int?
  /// Channels (3 for RGB, 1 for grey), height, width.
  public let shape: [Int]
  /// In the order RGB: `mean` is subtracted from samples of 0...255, and the difference divided by `std`. With one
  /// channel, only the first numbers are used.
  public let mean: [Float], std: [Float]
  /// How samples are interpolated.
  public let filter: Filter

  /// - Throws: a sentence that says which value is invalid, and what is expected.
  public init(
    mode: Mode = .crop, resize: Int? = nil, shape: [Int] = [3, 224, 224], mean: [Float] = [0, 0, 0],
    std: [Float] = [1, 1, 1], filter: Filter = .linear
  ) throws(PresetError) {
    guard shape.count == 3 else {
      throw PresetError("the shape has \(shape.count) numbers; three are expected: channels,height,width")
    }
    guard shape[0] == 1 || shape[0] == 3 else {
      throw PresetError("the shape has \(shape[0]) channels; 3 (colour) or 1 (grey) are expected")
    }
    let sides = 1...Self.largestSide
    guard sides.contains(shape[1]), sides.contains(shape[2]), shape[1] * shape[2] <= Self.largestArea else {
      throw PresetError(
        "the shape is \(shape[1]) high and \(shape[2]) wide; each from 1 to \(Self.largestSide), and at most "
          + "\(Self.largestArea) pixels are expected")
    }
    if let resize, !sides.contains(resize) {
      throw PresetError("resize is \(resize); from 1 to \(Self.largestSide) is expected")
    }
    for (name, values) in [("mean", mean), ("std", std)] {
      guard values.count == 3 || values.count == shape[0] else {
        throw PresetError("\(name) has \(values.count) numbers; one per channel is expected: red,green,blue")
      }
    }
    if let wrong = mean.first(where: { !$0.isFinite }) {
      throw PresetError("mean contains \(wrong); finite numbers are expected")
    }
    if let wrong = std.first(where: { !($0 > 0) || !$0.isFinite || !(1 / $0).isFinite }) {
      throw PresetError("std contains \(wrong), which cannot be a divisor; numbers above 0 are expected")
    }
    self.mode = mode
    self.resize = resize
    self.shape = shape
    self.mean = mean
    self.std = std
    self.filter = filter
  }

  static let largestSide = 65_535
  static let largestArea = DecodeOptions.standardMaximumPixelCount

  /// 3 for RGB, 1 for grey.
  public var channels: Int { shape[0] }
  /// The height of the tensor in pixels.
  public var height: Int { shape[1] }
  /// The width of the tensor in pixels.
  public var width: Int { shape[2] }
  /// How many numbers the tensor of one picture has.
  public var count: Int { shape[0] * shape[1] * shape[2] }
}

/// Why the values of a preset are invalid, in a sentence.
public struct PresetError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The sentence.
  public let description: String

  init(_ description: String) { self.description = description }
}

extension Preset: Codable {
  private enum CodingKeys: String, CodingKey {
    case mode, resize, shape, mean, std, filter
  }

  /// Missing keys get the defaults of the memberwise initializer.
  ///
  /// - Throws: for invalid values, a `DecodingError` with the sentence of `PresetError`.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    do {
      try self.init(
        mode: values.decodeIfPresent(Mode.self, forKey: .mode) ?? .crop,
        resize: values.decodeIfPresent(Int.self, forKey: .resize),
        shape: values.decodeIfPresent([Int].self, forKey: .shape) ?? [3, 224, 224],
        mean: values.decodeIfPresent([Float].self, forKey: .mean) ?? [0, 0, 0],
        std: values.decodeIfPresent([Float].self, forKey: .std) ?? [1, 1, 1],
        filter: values.decodeIfPresent(Filter.self, forKey: .filter) ?? .linear)
    } catch let error as PresetError {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: error.description, underlyingError: error))
    }
  }

  /// Writes all keys, also a `resize` of null.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(mode, forKey: .mode)
    try values.encode(resize, forKey: .resize)
    try values.encode(shape, forKey: .shape)
    try values.encode(mean, forKey: .mean)
    try values.encode(std, forKey: .std)
    try values.encode(filter, forKey: .filter)
  }
}

/// Presets for networks that come without one, by where they were trained.
extension Preset {
  /// As SageMaker's endpoint and MXNet do it: stretched to the shape, with samples of 0...255 unchanged.
  ///
  /// - Throws: as `init`, for an invalid shape.
  public static func sageMaker(shape: [Int]) throws(PresetError) -> Preset {
    try Preset(mode: .squash, shape: shape)
  }

  /// torchvision's evaluation (references/classification/presets.py): the shorter side is resized to 256 pixels for a
  /// crop of 224, and in proportion for other shapes; the center is cropped and normalized by ImageNet's mean and
  /// deviation.
  ///
  /// torchvision's resize averages where it shrinks (Pillow's, or with `antialias`); `.linear` does not.
  ///
  /// - Throws: as `init`, for an invalid shape.
  public static func torchvision(shape: [Int]) throws(PresetError) -> Preset {
    let side = max(1, min(shape.dropFirst().min() ?? 1, largestSide))
    return try Preset(
      mode: .crop, resize: min((side * 256 + 112) / 224, largestSide), shape: shape,
      mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375])
  }
}
