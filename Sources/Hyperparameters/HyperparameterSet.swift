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
  /// Training always computes in float32; float16 only causes a warning.
  public var precision = Precision.float32
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
  public enum Precision: String, CaseIterable, Sendable { case float32, float16 }
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
