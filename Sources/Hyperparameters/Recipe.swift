extension HyperparameterSet.Recipe {
  /// The values that the recipe sets if they are not given.
  ///
  /// It leaves `mean` and `std` alone: the network's first layer normalizes samples of 0...255, and SageMaker's
  /// endpoints pass it nothing else.
  ///
  /// - Parameter resizes: whether `resize` is given; progressive resizing needs it.
  func values(for imageShape: [Int], resizes: Bool) -> [(name: String, value: String)] {
    switch self {
    case .fast:
      var values = [
        ("num_layers", imageShape[1] <= 28 ? "20" : "18"), ("optimizer", "nag"), ("learning_rate", "0.05"),
        ("weight_decay", "0.0005"), ("lr_schedule", "one_cycle"), ("label_smoothing", "0.1"),
        ("augmentation_type", "crop"),
      ]
      let side = min(imageShape[1], imageShape[2])
      if resizes && side >= Self.leastGrowingSide {
        // 4/7 of the side takes a third of the time per image. Below 64 pixels, little of what is learned transfers.
        values.append(("progressive_start", "\(max(64, side * 4 / 7 / 32 * 32))"))
      }
      return values
    }
  }

  private static let leastGrowingSide = 96
}
