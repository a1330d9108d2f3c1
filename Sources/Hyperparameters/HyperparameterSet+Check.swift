import Imaging

extension HyperparameterSet {
  /// Checks values that are valid one by one against each other.
  ///
  /// - Throws: `TrainingError` that names the first two values that contradict each other.
  public func check() throws(TrainingError) {
    let (height, width) = (imageShape[1], imageShape[2])
    let shape = shownShape(imageShape)
    if let checkpointFrequency, checkpointFrequency > epochs {
      throw TrainingError(
        "checkpoint_frequency is \(checkpointFrequency), but there are only \(epochs) epochs; a value of at most "
          + "\(epochs) is expected")
    }
    if let resize, resize <= max(height, width) {
      throw TrainingError(
        "resize is \(resize), but image_shape is \(shape); resize must be larger than both height and width"
      )
    }
    let family = height <= 28 ? Self.smallDepths : Self.largeDepths
    guard family.contains(numLayers) else {
      throw TrainingError(
        "num_layers is \(numLayers), but image_shape is \(shape); for images with "
          + (height <= 28 ? "at most 28 rows " : "more than 28 rows ")
          + "it must be one of \(family.map { "\($0)" }.joined(separator: ", "))")
    }
    if usePretrainedModel, imageShape != [3, 224, 224] {
      throw TrainingError(
        "use_pretrained_model is 1, but image_shape is \(shape); a pretrained model needs 3,224,224")
    }
    try checkOwn()
    do throws(PresetError) { _ = try preset() } catch { throw TrainingError(error.description) }
  }

  private func checkOwn() throws(TrainingError) {
    if warmupEpochs >= epochs, warmupEpochs > 0 {
      throw TrainingError(
        "warmup_epochs is \(warmupEpochs), but there are only \(epochs) epochs; a smaller value is expected")
    }
    for (name, value) in [("label_smoothing", labelSmoothing), ("ema_decay", emaDecay)] where value >= 1 {
      throw TrainingError("\(name) is 1, with which a network learns nothing; a value below 1 is expected")
    }
    if mixupAlpha > 0, miniBatchSize % 2 != 0 {
      throw TrainingError(
        "mixup_alpha is \(shortest(mixupAlpha)), but mini_batch_size is \(miniBatchSize); mixup needs pairs of images, so "
          + "an even batch size is expected")
    }
    if let progressiveStart {
      guard resize != nil else {
        throw TrainingError(
          "progressive_start needs resize: without it, a smaller shape would crop a smaller part of each image"
        )
      }
      guard progressiveStart <= min(imageShape[1], imageShape[2]) else {
        throw TrainingError(
          "progressive_start is \(progressiveStart), but image_shape is \(shownShape(imageShape)); a value of at most its "
            + "smaller side is expected")
      }
    }
  }

  /// A warning for each given value that has no effect, with the reason.
  ///
  /// - Parameter hosts: the number of processes that train together.
  public func warnings(hosts: Int = 1) -> [TrainingWarning] {
    var found: [TrainingWarning] = []
    func warn(_ name: String, _ reason: String) {
      if given.contains(name) { found.append(TrainingWarning("\(name) has no effect: \(reason)")) }
    }
    func warn(_ names: [String], unless isUsed: Bool, _ reason: String) {
      if !isUsed { for name in names { warn(name, reason) } }
    }
    let isOne = "the optimizer is \(optimizer.rawValue)"
    warn(["beta_1", "beta_2"], unless: optimizer == .adam, "only adam uses it, but \(isOne)")
    warn(["gamma"], unless: optimizer == .rmsprop, "only rmsprop uses it, but \(isOne)")
    warn(
      ["eps"], unless: optimizer == .adam || optimizer == .rmsprop,
      "only adam and rmsprop use it, but \(isOne)")
    warn(
      ["momentum", "weight_decay"], unless: optimizer == .sgd || optimizer == .nag,
      "only sgd and nag use it, but \(isOne)")
    warn(["use_weighted_loss"], unless: multiLabel || !useWeightedLoss, "it needs multi_label")
    warn(
      ["early_stopping_min_epochs", "early_stopping_patience", "early_stopping_tolerance"],
      unless: earlyStopping,
      "early_stopping is off")
    if earlyStopping, earlyStoppingMinEpochs >= epochs {
      found.append(
        TrainingWarning(
          "early_stopping has no effect: early_stopping_min_epochs is \(earlyStoppingMinEpochs), but there are only "
            + "\(epochs) epochs"))
    }
    warn(["kv_store"], unless: hosts > 1, "there is only one host")
    if hosts > 1, kvStore == .asynchronous {
      found.append(
        TrainingWarning(
          "kv_store dist_async has no effect: hosts always train synchronously, as with dist_sync"))
    }
    warn(
      ["precision_dtype"], unless: precisionDtype == .float32,
      "training computes in float32 unless precision is bf16")
    warn(["top_k"], unless: !multiLabel, "with multi_label, each class is a decision of its own")
    if let topK, topK >= numClasses, numClasses > 0, !multiLabel {
      found.append(
        TrainingWarning(
          "top_k is \(topK), but there are only \(numClasses) classes: top-k accuracy is always 1"))
    }
    found += scheduleWarnings()
    return found
  }

  private func scheduleWarnings() -> [TrainingWarning] {
    var found: [TrainingWarning] = []
    let names = ["lr_scheduler_step", "lr_scheduler_factor"].filter { given.contains($0) }
    if lrSchedule != .step {
      found += names.map { TrainingWarning("\($0) has no effect: lr_schedule is \(lrSchedule.rawValue)") }
    } else if lrSchedulerStep.isEmpty, given.contains("lr_scheduler_factor") {
      found.append(TrainingWarning("lr_scheduler_factor has no effect: lr_scheduler_step is not given"))
    }
    for epoch in lrSchedulerStep where lrSchedule == .step && epoch >= epochs {
      found.append(
        TrainingWarning(
          "epoch \(epoch) of lr_scheduler_step has no effect: training ends after \(epochs) epochs"))
    }
    return found
  }

  /// The hyperparameters for a report, by SageMaker's names: those that its log lists, and every other one that differs
  /// from its default.
  package var changes: [(name: String, value: String)] {
    let usual = HyperparameterSet()
    let always = [
      "num_layers", "image_shape", "num_classes", "num_training_samples", "epochs", "mini_batch_size",
      "optimizer",
      "learning_rate",
    ]
    let optimizer: [String] =
      switch self.optimizer {
      case .sgd, .nag: ["momentum", "weight_decay"]
      case .adam: ["beta_1", "beta_2", "eps"]
      case .rmsprop: ["gamma", "eps"]
      }
    let first = always + optimizer
    let others = Self.table.filter { !first.contains($0.name) && $0.get(self) != $0.get(usual) }.map(\.name)
    return (first + others).compactMap { name in
      Self.table.first { $0.name == name }?.get(self).map { (name, $0.text) }
    }
  }

  /// The lines of SageMaker's log between "---- Parameters ----" and the line of dashes.
  public func parameterLines(hosts: Int = 1) -> [String] {
    var lines = [
      "num_layers: \(numLayers)", "data type: <class 'numpy.\(precisionDtype.rawValue)'>",
      "epochs: \(epochs)",
    ]
    if let resize { lines.append("image resize size: \(resize)") }
    lines.append("optimizer: \(optimizer.rawValue)")
    switch optimizer {
    case .sgd, .nag: lines += ["momentum: \(shortest(momentum))", "weight_decay: \(shortest(weightDecay))"]
    case .adam:
      lines += ["beta_1: \(shortest(beta1))", "beta_2: \(shortest(beta2))", "eps: \(shortest(eps))"]
    case .rmsprop: lines += ["gamma: \(shortest(gamma))", "eps: \(shortest(eps))"]
    }
    lines.append("learning_rate: \(shortest(learningRate))")
    if !lrSchedulerStep.isEmpty, lrSchedule == .step {
      lines.append(
        "lr_scheduler_step: \(lrSchedulerStep.map { "\($0)" }.joined(separator: ","))"
          + ", lr_scheduler_factor: \(shortest(lrSchedulerFactor))")
    }
    lines += [
      "num_training_samples: \(numTrainingSamples)", "mini_batch_size: \(miniBatchSize)",
      "image_shape: \(shownShape(imageShape))", "num_classes: \(numClasses)",
      "augmentation_type: \(augmentationType?.rawValue ?? "None")",
      "kv_store: \(hosts > 1 ? kvStore?.rawValue ?? KVStore.synchronous.rawValue : "device")",
    ]
    if let topK { lines.append("top_k: \(topK)") }
    let usual = HyperparameterSet()
    for hyperparameter in Self.table.suffix(Self.ownCount)
    where hyperparameter.get(self) != hyperparameter.get(usual) {
      lines.append("\(hyperparameter.name): \(hyperparameter.get(self)?.text ?? "None")")
    }
    lines.append(
      checkpointFrequency.map { "checkpoint_frequency: \($0)" }
        ?? "checkpoint_frequency not set, will store the best model")
    return lines
  }
}

private func shownShape(_ shape: [Int]) -> String { shape.map { "\($0)" }.joined(separator: ",") }
