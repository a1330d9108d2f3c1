public import Imaging

extension HyperparameterSet {
  /// How images become tensors in an epoch: the whole shape, or with `progressive_start` a smaller one, and the resize
  /// made smaller with it.
  ///
  /// Sides grow evenly from `progressive_start`, in steps of 32 pixels (of 4 where the shape has at most 28 rows), and are
  /// whole from three quarters of the epochs on, so that the network ends with what it is used with.
  /// - Parameter epoch: counts from 0.
  /// - Throws: where shape, mean and std make no preset.
  public func preset(epoch: Int) throws(PresetError) -> Preset {
    guard let progressiveStart, let resize else { return try preset() }
    let smallest = min(imageShape[1], imageShape[2])
    let rising = max(1, epochs / 4 * 3 + epochs % 4 * 3 / 4)
    guard epoch < rising, progressiveStart < smallest else { return try preset() }
    let step = imageShape[1] <= 28 ? 4 : 32
    // No other stem than that of the whole shape, which a network has for at most 32 rows.
    let least = imageShape[1] > 32 ? 2 * step : step
    let side = progressiveStart + (smallest - progressiveStart) * max(0, epoch) / rising
    func scaled(_ length: Int) -> Int {
      min(length, max(least, (length * side / smallest + step / 2) / step * step))
    }
    let (height, width) = (scaled(imageShape[1]), scaled(imageShape[2]))
    // As much of the image as with the whole shape, and never less than the shape.
    let edge = max(
      max(height, width),
      (resize * max(height, width) + max(imageShape[1], imageShape[2]) - 1)
        / max(imageShape[1], imageShape[2]))
    return try Preset(
      mode: .crop, resize: edge, shape: [imageShape[0], height, width], mean: mean.map { Float($0) },
      std: std.map { Float($0) })
  }
}
