public import Imaging

/// The hyperparameters of SageMaker's image classification algorithm, with its names, ranges and defaults; and, off by
/// default, some of our own.
///
/// `values` that make sense one by one are made by `init`; `check` finds those that contradict each other.
public struct HyperparameterSet: Hashable, Sendable {
  // SageMaker's.
  /// How many classes there are; the width of the network's output.
  public var numClasses = 0
  /// How many images the training set is said to have.
  public var numTrainingSamples = 0
  public var augmentationType: Augmentation.Kind?
  /// Adam's decay of the mean and of the mean of squares.
  public var beta1 = 0.9, beta2 = 0.999
  /// A checkpoint each so many epochs; nil: the best epoch's alone.
  public var checkpointFrequency: Int?
  public var earlyStopping = false
  /// Epochs before which training does not stop early.
  public var earlyStoppingMinEpochs = 10
  /// Epochs without improvement after which it does.
  public var earlyStoppingPatience = 5
  /// What share of the best validation accuracy so far counts as an improvement.
  public var earlyStoppingTolerance = 0.0
  public var epochs = 30
  /// Adam's and RMSProp's guard against a division by 0.
  public var eps = 1e-8
  /// RMSProp's decay.
  public var gamma = 0.9
  /// Channels, height, width.
  public var imageShape = [3, 224, 224]
  public var kvStore: KVStore?
  public var learningRate = 0.1
  public var lrSchedulerFactor = 0.1
  /// Epochs after which the rate is multiplied by the factor.
  public var lrSchedulerStep: [Int] = []
  public var miniBatchSize = 32
  public var momentum = 0.9
  public var multiLabel = false
  public var numLayers = 152
  public var optimizer = OptimizerName.sgd
  public var precision = Precision.float32
  /// The length of the shorter side before the crop.
  public var resize: Int?
  public var topK: Int?
  public var usePretrainedModel = false
  /// With several labels an image, a rare class's yes counts more: `TrainingImages.positiveWeights`.
  public var useWeightedLoss = false
  public var weightDecay = 0.0001

  // Ours, off by default.
  public var lrSchedule = Schedule.Shape.step
  /// Epochs in which the rate rises from 0 (`one_cycle`: from a 25th) to `learningRate`.
  public var warmupEpochs = 0
  public var labelSmoothing = 0.0
  /// The parameter of the beta distribution that mixup draws from; 0: no mixup.
  public var mixupAlpha = 0.0
  /// The decay, a step, of the moving average of the weights that is validated and kept; 0: none.
  public var emaDecay = 0.0
  /// The side that images start with and grow from, epoch by epoch, to `imageShape`; nil: always the whole shape.
  public var progressiveStart: Int?
  public var seed = 0
  /// Subtracted from samples of 0...255, then divided by; red, green, blue.
  public var mean = [0.0, 0, 0], std = [1.0, 1, 1]
  public var recipe: Recipe?

  /// The names that were given, by a user or by the recipe; all others have their defaults.
  public internal(set) var given: Set<String> = []

  public enum OptimizerName: String, CaseIterable, Sendable { case sgd, adam, rmsprop, nag }
  public enum Precision: String, CaseIterable, Sendable { case float32, float16 }
  public enum KVStore: String, CaseIterable, Sendable {
    case synchronous = "dist_sync"
    case asynchronous = "dist_async"
  }
  /// Values that go well together, for what is not given.
  public enum Recipe: String, CaseIterable, Sendable {
    /// For small sets of images on a processor.
    case fast
  }

  /// The defaults; `numClasses` and `numTrainingSamples` have none.
  public init() {}

  /// How a training image becomes a tensor, and an evaluation's the same without chance.
  /// - Throws: where shape, mean and std make no preset.
  public func preset() throws(PresetError) -> Preset {
    try Preset(
      mode: .crop, resize: resize, shape: imageShape, mean: mean.map { Float($0) }, std: std.map { Float($0) }
    )
  }

  public var augmentation: Augmentation { Augmentation(augmentationType) }
}
