import Imaging

/// One hyperparameter: its name, its accepted values, and access to its property in `HyperparameterSet`.
package struct Hyperparameter: Sendable {
  package let name: String
  package let kind: HyperparameterKind
  /// Returns nil if an optional hyperparameter is not set.
  package let get: @Sendable (HyperparameterSet) -> HyperparameterValue?
  package let set: @Sendable (inout HyperparameterSet, HyperparameterValue) -> Void
}

extension HyperparameterSet {
  /// All hyperparameters: SageMaker's in the order of its manual, then the additional ones.
  package static let table: [Hyperparameter] = [
    whole("num_classes", 1...Int.max, { $0.numClasses }, { $0.numClasses = $1 }),
    whole("num_training_samples", 1...Int.max, { $0.numTrainingSamples }, { $0.numTrainingSamples = $1 }),
    choice("augmentation_type", { $0.augmentationType }, { $0.augmentationType = $1 }),
    real("beta_1", { $0.beta1 }, { $0.beta1 = $1 }),
    real("beta_2", { $0.beta2 }, { $0.beta2 = $1 }),
    whole("checkpoint_frequency", 1...Int.max, { $0.checkpointFrequency }, { $0.checkpointFrequency = $1 }),
    truth("early_stopping", .truth, { $0.earlyStopping }, { $0.earlyStopping = $1 }),
    whole(
      "early_stopping_min_epochs", 1...Int.max, { $0.earlyStoppingMinEpochs },
      { $0.earlyStoppingMinEpochs = $1 }),
    whole(
      "early_stopping_patience", 1...Int.max, { $0.earlyStoppingPatience }, { $0.earlyStoppingPatience = $1 }),
    real("early_stopping_tolerance", { $0.earlyStoppingTolerance }, { $0.earlyStoppingTolerance = $1 }),
    whole("epochs", 1...1_000_000, { $0.epochs }, { $0.epochs = $1 }),
    real("eps", { $0.eps }, { $0.eps = $1 }),
    real("gamma", { $0.gamma }, { $0.gamma = $1 }),
    wholes("image_shape", .shape, { $0.imageShape }, { $0.imageShape = $1 }),
    choice("kv_store", { $0.kvStore }, { $0.kvStore = $1 }),
    real("learning_rate", { $0.learningRate }, { $0.learningRate = $1 }),
    real("lr_scheduler_factor", { $0.lrSchedulerFactor }, { $0.lrSchedulerFactor = $1 }),
    wholes("lr_scheduler_step", .epochs, { $0.lrSchedulerStep }, { $0.lrSchedulerStep = $1 }),
    whole("mini_batch_size", 1...65_536, { $0.miniBatchSize }, { $0.miniBatchSize = $1 }),
    real("momentum", { $0.momentum }, { $0.momentum = $1 }),
    truth("multi_label", .flag, { $0.multiLabel }, { $0.multiLabel = $1 }),
    Hyperparameter(
      name: "num_layers", kind: .choice((largeDepths + smallDepths).map { "\($0)" }),
      get: { .name("\($0.numLayers)") },
      set: { if case .name(let name) = $1, let depth = Int(name) { $0.numLayers = depth } }),
    choice("optimizer", { $0.optimizer }, { if let value = $1 { $0.optimizer = value } }),
    choice("precision_dtype", { $0.precision }, { if let value = $1 { $0.precision = value } }),
    whole("resize", 1...65_535, { $0.resize }, { $0.resize = $1 }),
    whole("top_k", 2...Int.max, { $0.topK }, { $0.topK = $1 }),
    truth("use_pretrained_model", .flag, { $0.usePretrainedModel }, { $0.usePretrainedModel = $1 }),
    truth("use_weighted_loss", .flag, { $0.useWeightedLoss }, { $0.useWeightedLoss = $1 }),
    real("weight_decay", { $0.weightDecay }, { $0.weightDecay = $1 }),

    choice("lr_schedule", { $0.lrSchedule }, { if let value = $1 { $0.lrSchedule = value } }),
    whole("warmup_epochs", 0...1_000_000, { $0.warmupEpochs }, { $0.warmupEpochs = $1 }),
    real("label_smoothing", { $0.labelSmoothing }, { $0.labelSmoothing = $1 }),
    real("mixup_alpha", within: 0...4, { $0.mixupAlpha }, { $0.mixupAlpha = $1 }),
    real("ema_decay", { $0.emaDecay }, { $0.emaDecay = $1 }),
    whole("progressive_start", 1...65_535, { $0.progressiveStart }, { $0.progressiveStart = $1 }),
    whole("seed", 0...Int.max, { $0.seed }, { $0.seed = $1 }),
    numbers("mean", { $0.mean }, { $0.mean = $1 }),
    numbers("std", { $0.std }, { $0.std = $1 }),
    choice("recipe", { $0.recipe }, { $0.recipe = $1 }),
  ]

  /// How many entries at the end of the table are not SageMaker's.
  static let ownCount = 10

  /// SageMaker's depths for images of more than 28 rows.
  static let largeDepths = [18, 34, 50, 101, 152, 200]
  /// SageMaker's depths for images of at most 28 rows.
  static let smallDepths = [20, 32, 44, 56, 110]

  /// All names: SageMaker's in the order of its manual, then the additional ones.
  public static let names = table.map(\.name)

  /// The accepted values of a hyperparameter, as words for an error or a help text; nil for an unknown name.
  public static func expectation(of name: String) -> String? {
    table.first { $0.name == name }?.kind.expectation
  }

  private static func whole(
    _ name: String, _ range: ClosedRange<Int>, _ get: @escaping @Sendable (HyperparameterSet) -> Int?,
    _ set: @escaping @Sendable (inout HyperparameterSet, Int) -> Void
  ) -> Hyperparameter {
    Hyperparameter(
      name: name, kind: .whole(range), get: { get($0).map { .whole($0) } },
      set: { if case .whole(let value) = $1 { set(&$0, value) } })
  }

  private static func real(
    _ name: String, within range: ClosedRange<Double> = 0...1,
    _ get: @escaping @Sendable (HyperparameterSet) -> Double,
    _ set: @escaping @Sendable (inout HyperparameterSet, Double) -> Void
  ) -> Hyperparameter {
    Hyperparameter(
      name: name, kind: .real(range), get: { .real(get($0)) },
      set: { if case .real(let value) = $1 { set(&$0, value) } })
  }

  private static func truth(
    _ name: String, _ kind: HyperparameterKind, _ get: @escaping @Sendable (HyperparameterSet) -> Bool,
    _ set: @escaping @Sendable (inout HyperparameterSet, Bool) -> Void
  ) -> Hyperparameter {
    Hyperparameter(
      name: name, kind: kind,
      get: { kind == .flag ? .whole(get($0) ? 1 : 0) : .truth(get($0)) },
      set: { if case .truth(let value) = $1 { set(&$0, value) } })
  }

  private static func wholes(
    _ name: String, _ kind: HyperparameterKind, _ get: @escaping @Sendable (HyperparameterSet) -> [Int],
    _ set: @escaping @Sendable (inout HyperparameterSet, [Int]) -> Void
  ) -> Hyperparameter {
    Hyperparameter(
      name: name, kind: kind,
      get: { get($0).isEmpty ? nil : .wholes(get($0)) },
      set: { if case .wholes(let values) = $1 { set(&$0, values) } })
  }

  private static func numbers(
    _ name: String, _ get: @escaping @Sendable (HyperparameterSet) -> [Double],
    _ set: @escaping @Sendable (inout HyperparameterSet, [Double]) -> Void
  ) -> Hyperparameter {
    Hyperparameter(
      name: name, kind: .numbers, get: { .reals(get($0)) },
      set: { if case .reals(let values) = $1 { set(&$0, values) } })
  }

  private static func choice<Choice: RawRepresentable & CaseIterable & SendableMetatype>(
    _ name: String, _ get: @escaping @Sendable (HyperparameterSet) -> Choice?,
    _ set: @escaping @Sendable (inout HyperparameterSet, Choice?) -> Void
  ) -> Hyperparameter where Choice.RawValue == String {
    let names = Choice.allCases.map(\.rawValue)
    return Hyperparameter(
      name: name, kind: .choice(names), get: { get($0).map { .name($0.rawValue) } },
      set: { if case .name(let name) = $1 { set(&$0, Choice(rawValue: name)) } })
  }
}
