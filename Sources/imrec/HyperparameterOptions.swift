import ArgumentParser

/// The hyperparameters of SageMaker's image classification algorithm, as options of their names with dashes; underscores
/// are taken too (`withDashes`). Their values stay text: what they mean, `HyperparameterSet` knows.
struct HyperparameterOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Classes. (default: the names of --classes, else what the labels say)", valueName: "count"))
  var numClasses: String?
  @Option(help: ArgumentHelp("Training images. (default: as many as there are)", valueName: "count"))
  var numTrainingSamples: String?
  @Option(
    help: ArgumentHelp(
      "18, 34, 50, 101, 152, 200; up to 28 rows 20, 32, 44, 56, 110. (default: 152)", valueName: "depth"))
  var numLayers: String?
  @Option(help: ArgumentHelp("Channels, height, width. (default: 3,224,224)", valueName: "c,h,w"))
  var imageShape: String?
  @Option(
    help: ArgumentHelp(
      "Scale the shorter side to this before the crop. (default: keep)", valueName: "pixels"))
  var resize: String?
  @Option(help: ArgumentHelp("(default: 30)", valueName: "count"))
  var epochs: String?
  @Option(help: ArgumentHelp("Images of an update. (default: 32)", valueName: "count"))
  var miniBatchSize: String?
  @Option(help: ArgumentHelp("sgd, nag, adam, rmsprop. (default: sgd)", valueName: "name"))
  var optimizer: String?
  @Option(help: ArgumentHelp("(default: 0.1)", valueName: "rate"))
  var learningRate: String?
  @Option(help: ArgumentHelp("Multiply the rate by the factor after these: 10,20.", valueName: "epochs"))
  var lrSchedulerStep: String?
  @Option(help: ArgumentHelp("(default: 0.1)", valueName: "factor"))
  var lrSchedulerFactor: String?
  @Option(help: ArgumentHelp("sgd, nag. (default: 0.9)", valueName: "share"))
  var momentum: String?
  @Option(help: ArgumentHelp("sgd, nag; not of biases and betas. (default: 0.0001)", valueName: "factor"))
  var weightDecay: String?
  @Option(name: .customLong("beta-1"), help: ArgumentHelp("adam. (default: 0.9)", valueName: "share"))
  var beta1: String?
  @Option(name: .customLong("beta-2"), help: ArgumentHelp("adam. (default: 0.999)", valueName: "share"))
  var beta2: String?
  @Option(help: ArgumentHelp("adam, rmsprop. (default: 1e-8)", valueName: "number"))
  var eps: String?
  @Option(help: ArgumentHelp("rmsprop. (default: 0.9)", valueName: "share"))
  var gamma: String?
  @Option(help: ArgumentHelp("crop, crop_color, crop_color_transform. (default: none)", valueName: "name"))
  var augmentationType: String?
  @Option(help: ArgumentHelp("Any number of classes an image. (default: 0)", valueName: "0|1"))
  var multiLabel: String?
  @Option(help: ArgumentHelp("With multi-label. (default: 0)", valueName: "0|1"))
  var useWeightedLoss: String?
  @Option(help: ArgumentHelp("Also log how often the class is among so many.", valueName: "count"))
  var topK: String?
  @Option(
    help: ArgumentHelp(
      "Keep the model of every so many epochs. (default: the best one)", valueName: "epochs"))
  var checkpointFrequency: String?
  @Option(help: ArgumentHelp("(default: False)", valueName: "True|False"))
  var earlyStopping: String?
  @Option(help: ArgumentHelp("(default: 10)", valueName: "count"))
  var earlyStoppingMinEpochs: String?
  @Option(help: ArgumentHelp("Epochs without improvement. (default: 5)", valueName: "epochs"))
  var earlyStoppingPatience: String?
  @Option(help: ArgumentHelp("A smaller improvement is none. (default: 0)", valueName: "share"))
  var earlyStoppingTolerance: String?
  @Option(help: ArgumentHelp("Needs --model. (default: 0)", valueName: "0|1"))
  var usePretrainedModel: String?
  @Option(help: ArgumentHelp("dist_sync, dist_async: several hosts.", valueName: "name"))
  var kvStore: String?
  @Option(help: ArgumentHelp("float32; float16 is computed as float32.", valueName: "name"))
  var precisionDtype: String?

  /// Names and values that were given.
  var pairs: [(name: String, value: String)] {
    let all: [(String, String?)] = [
      ("num_classes", numClasses),
      ("num_training_samples", numTrainingSamples),
      ("num_layers", numLayers),
      ("image_shape", imageShape),
      ("resize", resize),
      ("epochs", epochs),
      ("mini_batch_size", miniBatchSize),
      ("optimizer", optimizer),
      ("learning_rate", learningRate),
      ("lr_scheduler_step", lrSchedulerStep),
      ("lr_scheduler_factor", lrSchedulerFactor),
      ("momentum", momentum),
      ("weight_decay", weightDecay),
      ("beta_1", beta1),
      ("beta_2", beta2),
      ("eps", eps),
      ("gamma", gamma),
      ("augmentation_type", augmentationType),
      ("multi_label", multiLabel),
      ("use_weighted_loss", useWeightedLoss),
      ("top_k", topK),
      ("checkpoint_frequency", checkpointFrequency),
      ("early_stopping", earlyStopping),
      ("early_stopping_min_epochs", earlyStoppingMinEpochs),
      ("early_stopping_patience", earlyStoppingPatience),
      ("early_stopping_tolerance", earlyStoppingTolerance),
      ("use_pretrained_model", usePretrainedModel),
      ("kv_store", kvStore),
      ("precision_dtype", precisionDtype),
    ]
    return all.compactMap { name, value in value.map { (name, $0) } }
  }
}

/// What goes beyond the algorithm; off by default.
struct OwnHyperparameterOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "fast: good values for small sets of images on a processor.", valueName: "name"))
  var recipe: String?
  @Option(help: ArgumentHelp("step, cosine, one_cycle. (default: step)", valueName: "name"))
  var lrSchedule: String?
  @Option(help: ArgumentHelp("Epochs in which the rate rises. (default: 0)", valueName: "count"))
  var warmupEpochs: String?
  @Option(help: ArgumentHelp("(default: 0)", valueName: "share"))
  var labelSmoothing: String?
  @Option(help: ArgumentHelp("Mix pairs of images. (default: 0, off)", valueName: "alpha"))
  var mixupAlpha: String?
  @Option(
    help: ArgumentHelp(
      "Keep a moving average of the weights instead of them. (default: 0, off)", valueName: "share"))
  var emaDecay: String?
  @Option(help: ArgumentHelp("Begin with smaller images; needs resize.", valueName: "pixels"))
  var progressiveStart: String?
  @Option(help: ArgumentHelp("Subtracted from 0 to 255. (default: 0)", valueName: "r,g,b"))
  var mean: String?
  @Option(help: ArgumentHelp("Divided by. (default: 1)", valueName: "r,g,b"))
  var std: String?
  @Option(
    help: ArgumentHelp(
      "The same seed and threads give the same weights. (default: 0)", valueName: "number"))
  var seed: String?

  var pairs: [(name: String, value: String)] {
    let all: [(String, String?)] = [
      ("recipe", recipe),
      ("lr_schedule", lrSchedule),
      ("warmup_epochs", warmupEpochs),
      ("label_smoothing", labelSmoothing),
      ("mixup_alpha", mixupAlpha),
      ("ema_decay", emaDecay),
      ("progressive_start", progressiveStart),
      ("mean", mean),
      ("std", std),
      ("seed", seed),
    ]
    return all.compactMap { name, value in value.map { (name, $0) } }
  }
}

/// The arguments of a verb that trains with dashes in the options' names, so that SageMaker's spelling is taken:
/// `--num_layers` is `--num-layers`. Values stay as they are.
func withDashes(_ arguments: [String]) -> [String] {
  guard arguments.first == "train" || arguments.starts(with: ["bench", "train"]) else { return arguments }
  return arguments.map { argument in
    guard argument.hasPrefix("--"), argument != "--" else { return argument }
    let end = argument.firstIndex(of: "=") ?? argument.endIndex
    return String(argument[..<end]).replacing("_", with: "-") + argument[end...]
  }
}
