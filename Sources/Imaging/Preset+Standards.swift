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
