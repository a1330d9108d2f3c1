public import Imaging

extension HyperparameterSet {
  /// The preprocessing of an epoch. With `progressive_start`, early epochs use a smaller shape and a `resize` reduced
  /// by the same factor (progressive resizing).
  ///
  /// The sides grow linearly from `progressive_start`, in steps of 32 pixels (of 4 if the shape has at most 28 rows).
  /// The last quarter of the epochs uses the full shape, so that training ends at the size used for inference.
  /// - Parameter epoch: counts from 0.
  /// - Throws: `PresetError` if shape, mean and std do not fit each other.
  public func preset(epoch: Int) throws(PresetError) -> Preset {
    guard let progressiveStart, let resize else { return try preset() }
    let smallest = min(imageShape[1], imageShape[2])
    let rising = max(1, epochs / 4 * 3 + epochs % 4 * 3 / 4)
    guard epoch < rising, progressiveStart < smallest else { return try preset() }
    let step = imageShape[1] <= 28 ? 4 : 32
    // The ResNet has another stem for images of at most 32 rows; the smaller shape must keep the stem of the full one.
    let least = imageShape[1] > 32 ? 2 * step : step
    let side = progressiveStart + (smallest - progressiveStart) * max(0, epoch) / rising
    func scaled(_ length: Int) -> Int {
      min(length, max(least, (length * side / smallest + step / 2) / step * step))
    }
    let (height, width) = (scaled(imageShape[1]), scaled(imageShape[2]))
    // The crop covers the same share of the image as with the full shape; `resize` is never below the shape.
    let edge = max(
      max(height, width),
      (resize * max(height, width) + max(imageShape[1], imageShape[2]) - 1)
        / max(imageShape[1], imageShape[2]))
    return try Preset(
      mode: .crop, resize: edge, shape: [imageShape[0], height, width], mean: mean.map { Float($0) },
      std: std.map { Float($0) })
  }
}
