/// How a picture becomes the numbers a network takes: all preprocessing constants, for training and evaluation, in one
/// place.
///
/// As JSON: `{"mode":"crop","resize":256,"shape":[3,224,224],"mean":[0,0,0],"std":[1,1,1],"filter":"linear"}`.
public struct Preset: Hashable, Sendable {
  public enum Mode: String, CaseIterable, Codable, Sendable {
    /// MXNet's ImageRecordIter at evaluation: short-edge resize if there is one, enlarged where the picture is smaller
    /// than the shape, then the middle is cut out.
    case crop
    /// SageMaker's endpoint: stretched to the shape, whatever the proportions. `resize` has no meaning then.
    case squash
  }
  public let mode: Mode
  /// The length the shorter side gets first; nil keeps the picture as it is.
  public let resize: Int?
  /// Channels (3 RGB, 1 grey), height, width.
  public let shape: [Int]
  /// Subtracted from samples of 0...255, then divided by `std`; RGB. Of one channel only the first is used.
  public let mean: [Float], std: [Float]
  public let filter: Filter

  /// - Throws: a sentence that says which value makes no sense, and what would.
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
        throw PresetError("\(name) has \(values.count) numbers; one a channel is expected: red,green,blue")
      }
    }
    if let wrong = mean.first(where: { !$0.isFinite }) {
      throw PresetError("mean holds \(wrong); finite numbers are expected")
    }
    if let wrong = std.first(where: { !($0 > 0) || !$0.isFinite || !(1 / $0).isFinite }) {
      throw PresetError("std holds \(wrong), which nothing can be divided by; numbers above 0 are expected")
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

  public var channels: Int { shape[0] }
  public var height: Int { shape[1] }
  public var width: Int { shape[2] }
  /// Numbers in one tensor.
  public var count: Int { shape[0] * shape[1] * shape[2] }
}

/// A preset that makes no sense, in a sentence.
public struct PresetError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}

extension Preset: Codable {
  private enum CodingKeys: String, CodingKey {
    case mode, resize, shape, mean, std, filter
  }

  /// What is left out has the default of `init`; what makes no sense is a `DecodingError` with the sentence of `init`.
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

  /// All keys, `resize` too where it is null.
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

/// The presets of networks that come without one, by who trained them.
extension Preset {
  /// SageMaker's endpoint and MXNet: stretched to the shape, samples as they are, 0...255.
  public static func sageMaker(shape: [Int]) throws(PresetError) -> Preset {
    try Preset(mode: .squash, shape: shape)
  }

  /// torchvision's evaluation (references/classification/presets.py): the shorter side to 256 pixels for a cut of 224, in
  /// proportion for other shapes, the middle cut out, normalised by the mean and the deviation of ImageNet.
  ///
  /// torchvision's own resize averages where it shrinks (Pillow's, or `antialias`); `.linear` does not.
  public static func torchvision(shape: [Int]) throws(PresetError) -> Preset {
    let side = max(1, min(shape.dropFirst().min() ?? 1, largestSide))
    return try Preset(
      mode: .crop, resize: min((side * 256 + 112) / 224, largestSide), shape: shape,
      mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375])
  }
}
