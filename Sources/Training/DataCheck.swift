import Files
public import Hyperparameters

extension HyperparameterSet {
  /// Compares the image sets with the hyperparameters, before training.
  ///
  /// - Parameters:
  ///   - batch: images of one update, over all hosts.
  ///   - names: class names by label; may be empty.
  /// - Returns: warnings about a `num_training_samples` that differs from the number of images, and about classes
  ///   without images.
  /// - Throws: `TrainingError` if there are fewer training images than one batch needs.
  public func check(
    train: TrainingImages, validation: TrainingImages?, batch: Int, names: [String] = []
  ) throws(TrainingError) -> [TrainingWarning] {
    guard train.count >= batch else {
      throw TrainingError(
        "The number of input images must be bigger or equal to the mini_batch_size. The \(train.channel) channel has "
          + "\(train.count) images, a batch \(batch)")
    }
    var found: [TrainingWarning] = []
    if numTrainingSamples != train.count {
      found.append(
        TrainingWarning(
          "num_training_samples is \(numTrainingSamples), but the \(train.channel) channel has \(train.count) images; "
            + "the number of images is used"))
    }
    for images in [train, validation].compactMap({ $0 }) {
      if let warning = images.missingClasses(names) { found.append(warning) }
    }
    return found
  }
}

extension TrainingImages {
  /// A warning that names the classes without images; nil if every class has one.
  func missingClasses(_ names: [String]) -> TrainingWarning? {
    let missing = histogram.enumerated().filter { $0.element == 0 }.map(\.offset)
    if missing.isEmpty { return nil }
    let all = missing.map { names.indices.contains($0) ? "\($0) (\(names[$0]))" : "\($0)" }
    return TrainingWarning(
      "the \(channel) channel has no image of \(missing.count == 1 ? "class" : "classes") "
        + shortList(all))
  }
}
