extension HyperparameterSet.Recipe {
  /// What the recipe sets where nothing is given.
  ///
  /// Samples stay 0...255: the network's first layer normalises them, and endpoints of SageMaker's give it nothing else.
  ///
  /// - Parameter resizes: whether `resize` is given; only then can the images begin smaller.
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
        // A third of the time for an image, at first; a network of fewer pixels learns little that is of use later.
        values.append(("progressive_start", "\(max(64, side * 4 / 7 / 32 * 32))"))
      }
      return values
    }
  }

  private static let leastGrowingSide = 96
}
