import Files
public import Hyperparameters

extension HyperparameterSet {
  /// Compares the sets with the hyperparameters, before training.
  ///
  /// - Parameters:
  ///   - batch: images of one update, of all hosts together.
  ///   - names: of the classes, where they are known.
  /// - Returns: what the user should know: `num_training_samples` that are not so many, classes without images.
  /// - Throws: fewer images than a batch.
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
            + "the images are counted"))
    }
    for images in [train, validation].compactMap({ $0 }) {
      if let warning = images.missingClasses(names) { found.append(warning) }
    }
    return found
  }
}

extension TrainingImages {
  /// Names the classes of which there is no image; nil where there are none.
  func missingClasses(_ names: [String]) -> TrainingWarning? {
    let missing = histogram.enumerated().filter { $0.element == 0 }.map(\.offset)
    if missing.isEmpty { return nil }
    let all = missing.map { names.indices.contains($0) ? "\($0) (\(names[$0]))" : "\($0)" }
    return TrainingWarning(
      "the \(channel) channel has no image of \(missing.count == 1 ? "class" : "classes") "
        + shortList(all))
  }
}
