import Encodings
import Files
public import Imaging

/// The hyperparameters of SageMaker's image classification algorithm, with its names, ranges and defaults, and some
/// additional ones, which are off by default.
///
/// `init(_:isComplete:)` accepts values that are valid one by one; `check()` finds values that contradict each other.
public struct HyperparameterSet: Hashable, Sendable {
  // SageMaker's hyperparameters, in the order of its manual.
  /// The number of classes, and the width of the network's output; 0: not given.
  public var numClasses = 0
  /// The declared number of training images; 0: not given.
  public var numTrainingSamples = 0
  /// nil: no augmentation.
  public var augmentationType: Augmentation.Kind?
  /// Adam's decay rates of the mean and of the mean of squares.
  public var beta1 = 0.9, beta2 = 0.999
  /// Store the model after every this many epochs; nil: only the model of the best epoch.
  public var checkpointFrequency: Int?
  /// Whether training may end before the last epoch; see `EarlyStopping`.
  public var earlyStopping = false
  /// Epochs before which training never stops early.
  public var earlyStoppingMinEpochs = 10
  /// Epochs in a row without an improvement, after which training stops.
  public var earlyStoppingPatience = 5
  /// The relative improvement over the best validation accuracy that counts, 0...1.
  public var earlyStoppingTolerance = 0.0
  public var epochs = 30
  /// Added by Adam and RMSProp to prevent a division by 0.
  public var eps = 1e-8
  /// RMSProp's decay rate.
  public var gamma = 0.9
  /// Channels, height, width.
  public var imageShape = [3, 224, 224]
  /// Hosts always train synchronously; `dist_async` only causes a warning.
  public var kvStore: KVStore?
  public var learningRate = 0.1
  /// What the learning rate is multiplied by after each epoch in `lrSchedulerStep`.
  public var lrSchedulerFactor = 0.1
  /// Epochs after which the learning rate drops; ascending, from 1.
  public var lrSchedulerStep: [Int] = []
  /// Images in one batch of each host.
  public var miniBatchSize = 32
  public var momentum = 0.9
  /// Whether an image can have several classes; the network then has sigmoid outputs.
  public var multiLabel = false
  /// The depth of the ResNet.
  public var numLayers = 152
  public var optimizer = OptimizerName.sgd
  /// Only causes a warning if it is float16: `precision` decides.
  public var precisionDtype = DataType.float32
  /// Pixels to which the shorter side is scaled before the crop; nil: images keep their size.
  public var resize: Int?
  /// Also report top-k accuracy for this k; nil: not reported.
  public var topK: Int?
  /// Whether a model to start from is required.
  public var usePretrainedModel = false
  /// For multi-label data: weights rare classes higher in the loss; see `TrainingImages.positiveWeights`.
  public var useWeightedLoss = false
  /// The weight decay of `sgd` and `nag`.
  public var weightDecay = 0.0001

  // Hyperparameters that SageMaker's algorithm does not have; all are off by default.
  /// The numbers that convolutions multiply.
  public var precision = Precision.fp32
  /// The shape of the learning-rate schedule.
  public var lrSchedule = Schedule.Shape.step
  /// Warm-up: epochs in which the learning rate rises from 0 (`one_cycle`: from a 25th) to `learningRate`.
  public var warmupEpochs = 0
  /// The share of the target spread over the other classes, 0..<1.
  public var labelSmoothing = 0.0
  /// The alpha of mixup's beta distribution; 0: no mixup.
  public var mixupAlpha = 0.0
  /// The decay per update of the moving average (EMA) of the weights, 0..<1; the average is validated and stored
  /// instead of the weights. 0: no average.
  public var emaDecay = 0.0
  /// The shorter side, in pixels, of the images in the first epochs; it grows to that of `imageShape`. nil: always the
  /// full shape.
  public var progressiveStart: Int?
  /// Determines the initial weights, the order of the images and their augmentation.
  public var seed = 0
  /// For red, green and blue: `mean` is subtracted from samples in 0...255, and the result is divided by `std`.
  public var mean = [0.0, 0, 0], std = [1.0, 1, 1]
  /// Presets values that are not given; nil: the defaults.
  public var recipe: Recipe?

  /// The names that the user or the recipe has set; all others have their defaults.
  public internal(set) var given: Set<String> = []

  public enum OptimizerName: String, CaseIterable, Sendable { case sgd, adam, rmsprop, nag }
  public enum DataType: String, CaseIterable, Sendable { case float32, float16 }
  public enum Precision: String, CaseIterable, Sendable {
    case fp32
    /// bfloat16; everything but the products stays in single precision.
    case bf16
  }
  public enum KVStore: String, CaseIterable, Sendable {
    case synchronous = "dist_sync"
    case asynchronous = "dist_async"
  }
  /// A set of values that work well together, for hyperparameters that are not given.
  public enum Recipe: String, CaseIterable, Sendable {
    /// For small data sets, trained on a CPU.
    case fast
  }

  /// The defaults; `numClasses` and `numTrainingSamples`, which have none, are 0.
  public init() {}

  /// The preprocessing of images at full size. Training adds random augmentation to it; evaluation uses it as it is.
  /// - Throws: `PresetError` if shape, mean and std do not fit each other.
  public func preset() throws(PresetError) -> Preset {
    try Preset(
      mode: .crop, resize: resize, shape: imageShape, mean: mean.map { Float($0) }, std: std.map { Float($0) }
    )
  }

  /// The random augmentation of `augmentation_type`.
  public var augmentation: Augmentation { Augmentation(augmentationType) }
}

extension HyperparameterSet {
  /// The hyperparameter with which SageMaker marks the training jobs of a tuning job: its objective. Training ignores
  /// it.
  public static let tuningMark = "_tuning_objective_metric"

  /// Starts with the defaults, applies the recipe if one is given, and then the given values.
  ///
  /// - Parameters:
  ///   - pairs: names and values as text. The last value of a repeated name counts. An empty value and "None" mean that
  ///     the hyperparameter is not given.
  ///   - isComplete: whether `num_classes` and `num_training_samples` must be given.
  /// - Throws: `TrainingError` for an unknown name (with the most similar one), for an invalid value (in SageMaker's
  ///   words), and for a missing required name.
  public init(
    _ pairs: some Sequence<(name: String, value: String)>, isComplete: Bool = true
  ) throws(TrainingError) {
    self.init()
    var texts: [String: String] = [:]
    for (name, value) in pairs where name != Self.tuningMark {
      guard Self.table.contains(where: { $0.name == name }) else { throw Self.unknown(name) }
      let text = unquoted(value)
      texts[name] = text.isEmpty || text == "None" ? nil : text
    }
    if let text = texts["recipe"] {
      try set("recipe", text)
      if let shape = texts["image_shape"] { try set("image_shape", shape) }
      let values = recipe?.values(for: imageShape, resizes: texts["resize"] != nil) ?? []
      for (name, value) in values where texts[name] == nil { try set(name, value) }
    }
    for hyperparameter in Self.table {
      if let text = texts[hyperparameter.name] { try set(hyperparameter.name, text) }
    }
    guard isComplete else { return }
    for name in ["num_classes", "num_training_samples"] where !given.contains(name) {
      throw TrainingError("The hyperparameter '\(name)' is required, but no value is given for it")
    }
  }

  /// Parses SageMaker's `hyperparameters.json`: one JSON object whose values are strings; numbers and booleans are
  /// accepted too.
  ///
  /// - Throws: as `init(_:isComplete:)`; `TrainingError` if the bytes are not such an object.
  public init(json: [UInt8], isComplete: Bool = true) throws(TrainingError) {
    try self.init(Self.pairs(json: json), isComplete: isComplete)
  }

  /// Parses such a file into names and values, sorted by name, without checking them.
  ///
  /// - Throws: `TrainingError` if the bytes are not a JSON object of strings, numbers and booleans.
  public static func pairs(json: [UInt8]) throws(TrainingError) -> [(name: String, value: String)] {
    let values: [String: JSON]
    do throws(JSONError) { values = try JSON.decode([String: JSON].self, from: json) } catch {
      throw TrainingError(
        "The hyperparameters are not a JSON object such as {\"num_classes\": \"10\", \"epochs\": \"5\"}: \(error)"
      )
    }
    var pairs: [(name: String, value: String)] = []
    for (name, value) in values.sorted(by: { $0.key < $1.key }) {
      guard let text = Self.text(value) else {
        throw TrainingError(
          "The value of the '\(name)' hyperparameter is neither a string nor a number; a string is expected")
      }
      pairs.append((name, text))
    }
    return pairs
  }

  /// A JSON string, number or boolean as text; nil for other values.
  private static func text(_ value: JSON) -> String? {
    switch value {
    case .string(let text): text
    case .bool(let truth): truth ? "1" : "0"
    case .integer, .number: value.integer.map { "\($0)" } ?? value.number.map { shortest($0) }
    case .null, .list, .object: nil
    }
  }

  package mutating func set(_ name: String, _ text: String) throws(TrainingError) {
    guard let hyperparameter = Self.table.first(where: { $0.name == name }) else { throw Self.unknown(name) }
    let kind = hyperparameter.kind
    guard let value = HyperparameterValue(text, kind) else {
      throw TrainingError(
        "The value '\(text)' is not valid for the '\(name)' hyperparameter which expects one of the following: "
          + "\(kind.expectation) (caused by ValidationError)")
    }
    hyperparameter.set(&self, value)
    given.insert(name)
  }

  private static func unknown(_ name: String) -> TrainingError {
    let advice =
      nearest(to: name, among: names).map { "; did you mean '\($0)'?" }
      ?? "; known names are \(shortList(names))"
    return TrainingError("The hyperparameter '\(name)' is not known\(advice)")
  }
}

/// Removes the quotes that SageMaker's SDK puts around strings in tuning jobs.
private func unquoted(_ text: String) -> String {
  text.utf8.count >= 2 && text.hasPrefix("\"") && text.hasSuffix("\"")
    ? String(text.dropFirst().dropLast()) : text
}

extension HyperparameterSet {
  /// The values that were given or differ from their defaults, as text by name.
  public var texts: [String: String] {
    let usual = HyperparameterSet()
    var texts: [String: String] = [:]
    for hyperparameter in Self.table {
      let value = hyperparameter.get(self)
      if given.contains(hyperparameter.name) || value != hyperparameter.get(usual) {
        texts[hyperparameter.name] = value?.text
      }
    }
    return texts
  }
}

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

/// The early stopping rule of SageMaker's algorithm.
///
/// An epoch is an improvement if its accuracy exceeds the best so far, by at least the fraction `tolerance` of it.
/// Training ends after `patience` epochs in a row without an improvement, but not before `leastEpochs`.
public struct EarlyStopping: Hashable, Sendable {
  /// Epochs before which training never stops early.
  public var leastEpochs = 10
  /// Epochs in a row without an improvement.
  public var patience = 5
  /// The relative improvement that counts, 0...1.
  public var tolerance = 0.0

  public init(leastEpochs: Int = 10, patience: Int = 5, tolerance: Double = 0) {
    self.leastEpochs = leastEpochs
    self.patience = patience
    self.tolerance = tolerance
  }

  /// What the rule remembers between epochs; part of a checkpoint.
  public struct State: Hashable, Sendable, Codable {
    /// The best accuracy so far; nil before the first epoch.
    public var best: Double?
    /// Epochs in a row without an improvement.
    public var waited = 0

    public init() {}
  }

  /// Takes the validation accuracy of an epoch into account.
  ///
  /// - Parameter epochs: completed epochs, including this one.
  /// - Returns: whether training should stop.
  public func isOver(after epochs: Int, accuracy: Double, _ state: inout State) -> Bool {
    if let best = state.best, accuracy <= best || (best > 0 && (accuracy - best) / best < tolerance) {
      state.waited += 1
    } else {
      state.best = accuracy
      state.waited = 0
    }
    return epochs >= leastEpochs && state.waited >= patience
  }
}

/// Why a training cannot start or continue, as a sentence for the user; in the words of SageMaker's algorithm if it has
/// some for the case.
public struct TrainingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What the user could add to make the training possible.
  public enum Lack: Hashable, Sendable {
    /// The name of the attribute that is the label in a manifest.
    case label
    /// Permission to overwrite, or to resume, a previous training.
    case permission
    /// The model to start from.
    case model
  }
  public let description: String
  /// nil: nothing that the user could add would help.
  public let lack: Lack?

  public init(_ description: String, lacks lack: Lack? = nil) {
    (self.description, self.lack) = (description, lack)
  }

  /// The line that SageMaker's algorithm logs for this error.
  public var logLine: String { "Customer Error: \(description)" }

  /// The failure reason that SageMaker reports for the job; also the content of the file `failure`.
  public var failureReason: String { "ClientError: \(description), exit code: 2" }
}

/// Something the user should know that does not prevent the training.
public struct TrainingWarning: Hashable, Sendable, CustomStringConvertible {
  public let description: String

  package init(_ description: String) { self.description = description }
}
