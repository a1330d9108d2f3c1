extension Hyperparameters.Recipe {
  /// What the recipe sets where nothing is given.
  ///
  /// Samples stay 0...255: the network's first layer normalises them, and endpoints of SageMaker's give it nothing else.
  func values(for imageShape: [Int]) -> [(name: String, value: String)] {
    switch self {
    case .fast:
      [
        ("num_layers", imageShape[1] <= 28 ? "20" : "18"), ("optimizer", "nag"), ("learning_rate", "0.05"),
        ("weight_decay", "0.0005"), ("lr_schedule", "one_cycle"), ("label_smoothing", "0.1"),
        ("augmentation_type", "crop"),
      ]
    }
  }
}
