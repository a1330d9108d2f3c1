import Files
import Imaging

/// One hyperparameter: its name, its accepted values, its help text, and access to its property in `HyperparameterSet`.
package struct Hyperparameter: Sendable {
  package let name: String
  package let kind: HyperparameterKind
  /// Returns nil if an optional hyperparameter is not set.
  package let get: @Sendable (HyperparameterSet) -> HyperparameterValue?
  package let set: @Sendable (inout HyperparameterSet, HyperparameterValue) -> Void
  /// Whether few trainings need it.
  package private(set) var isRare = false
  /// What stands for a value in a help: "0-1", "c,h,w".
  package private(set) var valueName = ""
  fileprivate var summary = "", unset = ""

  /// What it does, its names where it has some, and its default, in a line for a help.
  package var help: String {
    var parts = summary.isEmpty ? [] : [summary]
    if case .choice(let names) = kind, summary.isEmpty || summary.hasSuffix(":") {
      parts.append(names.joined(separator: ", ") + ".")
    }
    // 0 stands for a number of classes or images that is not known yet.
    let usual = get(HyperparameterSet())?.text
    parts.append("(default: \(usual.flatMap { HyperparameterValue($0, kind) == nil ? nil : $0 } ?? unset))")
    return parts.joined(separator: " ")
  }

  /// - Parameters:
  ///   - summary: a sentence; where it is empty or ends with a colon, the names of a choice follow it.
  ///   - unit: of the values; nil: what the kind says.
  ///   - unset: the default, where it is no value.
  func common(_ summary: String, unit: String? = nil, unset: String = "none") -> Hyperparameter {
    var explained = self
    (explained.summary, explained.valueName, explained.unset) = (summary, unit ?? kind.valueName, unset)
    return explained
  }

  /// As `common`, of one that few trainings need.
  func rare(_ summary: String, unit: String? = nil, unset: String = "none") -> Hyperparameter {
    var explained = common(summary, unit: unit, unset: unset)
    explained.isRare = true
    return explained
  }
}

extension HyperparameterSet {
  /// All hyperparameters: SageMaker's in the order of its manual, then the additional ones.
  package static let table: [Hyperparameter] = [
    whole("num_classes", 1...Int.max, { $0.numClasses }, { $0.numClasses = $1 })
      .rare("Number of classes.", unset: "as many as are named, else what the labels say"),
    whole("num_training_samples", 1...Int.max, { $0.numTrainingSamples }, { $0.numTrainingSamples = $1 })
      .rare("Number of training images.", unset: "as many as there are"),
    choice("augmentation_type", { $0.augmentationType }, { $0.augmentationType = $1 })
      .common(""),
    real("beta_1", { $0.beta1 }, { $0.beta1 = $1 })
      .rare("adam: decay rate of the mean gradient."),
    real("beta_2", { $0.beta2 }, { $0.beta2 = $1 })
      .rare("adam: decay rate of the mean squared gradient."),
    whole("checkpoint_frequency", 1...Int.max, { $0.checkpointFrequency }, { $0.checkpointFrequency = $1 })
      .rare("Store a model after every so many epochs.", unit: "epochs", unset: "the best one"),
    truth("early_stopping", .truth, { $0.earlyStopping }, { $0.earlyStopping = $1 })
      .rare("Stop when the validation no longer improves."),
    whole(
      "early_stopping_min_epochs", 1...Int.max, { $0.earlyStoppingMinEpochs },
      { $0.earlyStoppingMinEpochs = $1 }
    )
    .rare("Train at least this long before stopping early.", unit: "epochs"),
    whole(
      "early_stopping_patience", 1...Int.max, { $0.earlyStoppingPatience }, { $0.earlyStoppingPatience = $1 }
    )
    .rare("Epochs without improvement before stopping.", unit: "epochs"),
    real("early_stopping_tolerance", { $0.earlyStoppingTolerance }, { $0.earlyStoppingTolerance = $1 })
      .rare("A smaller improvement does not count."),
    whole("epochs", 1...1_000_000, { $0.epochs }, { $0.epochs = $1 })
      .common("Passes over the training images."),
    real("eps", { $0.eps }, { $0.eps = $1 })
      .rare("adam, rmsprop: added to the denominator."),
    real("gamma", { $0.gamma }, { $0.gamma = $1 })
      .rare("rmsprop: decay rate of the mean squared gradient."),
    wholes("image_shape", .shape, { $0.imageShape }, { $0.imageShape = $1 })
      .common("Channels, height, width."),
    choice("kv_store", { $0.kvStore }, { $0.kvStore = $1 })
      .rare("How several hosts share their updates:"),
    real("learning_rate", { $0.learningRate }, { $0.learningRate = $1 })
      .common("Initial learning rate."),
    real("lr_scheduler_factor", { $0.lrSchedulerFactor }, { $0.lrSchedulerFactor = $1 })
      .rare("Factor of the learning rate at each step."),
    wholes("lr_scheduler_step", .epochs, { $0.lrSchedulerStep }, { $0.lrSchedulerStep = $1 })
      .rare("Epochs after which the factor applies, such as 10,20."),
    whole("mini_batch_size", 1...65_536, { $0.miniBatchSize }, { $0.miniBatchSize = $1 })
      .common("Images per update."),
    real("momentum", { $0.momentum }, { $0.momentum = $1 })
      .rare("sgd, nag: share of the previous step to keep."),
    truth("multi_label", .flag, { $0.multiLabel }, { $0.multiLabel = $1 })
      .common("An image may have several classes."),
    Hyperparameter(
      name: "num_layers", kind: .choice((largeDepths + smallDepths).map { "\($0)" }),
      get: { .name("\($0.numLayers)") },
      set: { if case .name(let name) = $1, let depth = Int(name) { $0.numLayers = depth } }
    )
    .common("\(listed(largeDepths)); up to 28 rows \(listed(smallDepths)).", unit: "depth"),
    choice("optimizer", { $0.optimizer }, { if let value = $1 { $0.optimizer = value } })
      .common(""),
    choice("precision_dtype", { $0.precisionDtype }, { if let value = $1 { $0.precisionDtype = value } })
      .rare("float32; float16 is accepted but computed as float32."),
    whole("resize", 1...65_535, { $0.resize }, { $0.resize = $1 })
      .common("Shorter side before cropping.", unit: "pixels"),
    whole("top_k", 2...Int.max, { $0.topK }, { $0.topK = $1 })
      .rare("Also log how often the class is among the top k."),
    truth("use_pretrained_model", .flag, { $0.usePretrainedModel }, { $0.usePretrainedModel = $1 })
      .rare("Start from a trained model, which must be given."),
    truth("use_weighted_loss", .flag, { $0.useWeightedLoss }, { $0.useWeightedLoss = $1 })
      .rare("Weight rare classes more; needs multi-label."),
    real("weight_decay", { $0.weightDecay }, { $0.weightDecay = $1 })
      .rare("sgd, nag: not applied to biases and betas."),

    choice("precision", { $0.precision }, { if let value = $1 { $0.precision = value } })
      .common("fp32, or bf16: 16-bit products."),
    choice("lr_schedule", { $0.lrSchedule }, { if let value = $1 { $0.lrSchedule = value } })
      .common(""),
    whole("warmup_epochs", 0...1_000_000, { $0.warmupEpochs }, { $0.warmupEpochs = $1 })
      .rare("Epochs over which the learning rate rises.", unit: "epochs"),
    real("label_smoothing", { $0.labelSmoothing }, { $0.labelSmoothing = $1 })
      .rare("Share of each target that is spread over all classes."),
    real("mixup_alpha", within: 0...4, { $0.mixupAlpha }, { $0.mixupAlpha = $1 })
      .rare("Mix pairs of images; 0 turns it off."),
    real("ema_decay", { $0.emaDecay }, { $0.emaDecay = $1 })
      .rare("Store a moving average of the weights; 0 turns it off."),
    whole("progressive_start", 1...65_535, { $0.progressiveStart }, { $0.progressiveStart = $1 })
      .rare("Begin with images of this size; needs resize.", unit: "pixels"),
    whole("seed", 0...Int.max, { $0.seed }, { $0.seed = $1 })
      .common("Same seed and threads, same weights.", unit: "number"),
    numbers("mean", { $0.mean }, { $0.mean = $1 })
      .rare("Subtracted from each pixel, which is 0 to 255."),
    numbers("std", { $0.std }, { $0.std = $1 })
      .rare("What each pixel is then divided by."),
    choice("recipe", { $0.recipe }, { $0.recipe = $1 })
      .common("For small sets of images:"),
  ]

  /// How many entries at the end of the table are not SageMaker's.
  package static let ownCount = 11

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

  private static func listed(_ depths: [Int]) -> String {
    depths.map { "\($0)" }.joined(separator: ", ")
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

/// The values that a hyperparameter accepts: decides how its text is parsed, and what an error lists as expected.
package enum HyperparameterKind: Hashable, Sendable {
  case whole(ClosedRange<Int>)
  case real(ClosedRange<Double>)
  case choice([String])
  /// True or False, case-insensitive; 1 and 0 are accepted too.
  case truth
  /// 0 or 1.
  case flag
  /// Epochs separated by commas, ascending, from 1.
  case epochs
  /// Channels, height, width.
  case shape
  /// One number, or three for red, green and blue.
  case numbers

  /// The accepted values, to follow SageMaker's words "one of the following: ".
  package var expectation: String {
    switch self {
    case .whole(let range) where range.upperBound == .max: "whole numbers of at least \(range.lowerBound)"
    case .whole(let range): "whole numbers from \(range.lowerBound) to \(range.upperBound)"
    case .real(let range): "numbers from \(shortest(range.lowerBound)) to \(shortest(range.upperBound))"
    case .choice(let names): names.map { "'\($0)'" }.joined(separator: ", ")
    case .truth: "'True', 'False'"
    case .flag: "'0', '1'"
    case .epochs: "ascending epochs of at least 1, separated by commas, such as '10,20'"
    case .shape: "channels, height and width, separated by commas, such as '3,224,224'"
    case .numbers: "a number, or three for red, green and blue, separated by commas"
    }
  }
}

extension HyperparameterKind {
  /// The placeholder for a value in help texts.
  var valueName: String {
    switch self {
    case .whole: "count"
    case .real(let range): "\(shortest(range.lowerBound))-\(shortest(range.upperBound))"
    case .choice: "name"
    case .truth: "True|False"
    case .flag: "0|1"
    case .epochs: "epochs"
    case .shape: "c,h,w"
    case .numbers: "r,g,b"
    }
  }
}

/// The parsed value of a hyperparameter.
package enum HyperparameterValue: Hashable {
  case whole(Int)
  case real(Double)
  case name(String)
  case truth(Bool)
  case wholes([Int])
  case reals([Double])

  /// Parses text; nil if it is not a value of this kind. Spaces and tabs at both ends and around commas are ignored.
  package init?(_ text: String, _ kind: HyperparameterKind) {
    let text = trimmed(text)
    switch kind {
    case .whole(let range):
      guard let value = Int(text), range.contains(value) else { return nil }
      self = .whole(value)
    case .real(let range):
      guard let value = decimal(text), range.contains(value) else { return nil }
      self = .real(value)
    case .choice(let names):
      guard let name = names.first(where: { $0 == text }) else { return nil }
      self = .name(name)
    case .truth, .flag:
      switch text.lowercased() {
      case "1": self = .truth(true)
      case "0": self = .truth(false)
      case "true": if case .flag = kind { return nil } else { self = .truth(true) }
      case "false": if case .flag = kind { return nil } else { self = .truth(false) }
      default: return nil
      }
    case .epochs:
      guard let values = wholeNumbers(text), !values.isEmpty, values[0] >= 1,
        zip(values, values.dropFirst()).allSatisfy({ $0 < $1 })
      else { return nil }
      self = .wholes(values)
    case .shape:
      guard let values = wholeNumbers(text), values.count == 3,
        values.allSatisfy({ (1...65_535).contains($0) }),
        values[0] == 1 || values[0] == 3
      else { return nil }
      self = .wholes(values)
    case .numbers:
      let fields = text.split(separator: ",", omittingEmptySubsequences: false).map {
        decimal(trimmed(String($0)))
      }
      guard fields.count == 1 || fields.count == 3 else { return nil }
      let values = fields.compactMap { $0 }
      guard values.count == fields.count else { return nil }
      self = .reals(values.count == 1 ? [values[0], values[0], values[0]] : values)
    }
  }

  /// Text that parses to the same value.
  package var text: String {
    switch self {
    case .whole(let value): "\(value)"
    case .real(let value): shortest(value)
    case .name(let name): name
    case .truth(let value): value ? "True" : "False"
    case .wholes(let values): values.map { "\($0)" }.joined(separator: ",")
    case .reals(let values): values.map { shortest($0) }.joined(separator: ",")
    }
  }
}

/// Parses a finite decimal number; hexadecimal digits, "inf" and "nan" are refused.
private func decimal(_ text: String) -> Double? {
  guard text.utf8.allSatisfy({ "+-.eE0123456789".utf8.contains($0) }), let value = Double(text),
    value.isFinite
  else { return nil }
  return value
}

/// Parses whole numbers separated by commas; nil if one of them is not a whole number.
private func wholeNumbers(_ text: String) -> [Int]? {
  let fields = text.split(separator: ",", omittingEmptySubsequences: false).map { Int(trimmed(String($0))) }
  let values = fields.compactMap { $0 }
  return values.count == fields.count ? values : nil
}

private func trimmed(_ text: String) -> String {
  let rest = text.drop(while: { $0 == " " || $0 == "\t" })
  return String(rest.reversed().drop(while: { $0 == " " || $0 == "\t" }).reversed())
}

/// The shortest text for a number, as Python prints it but without ".0" after a whole number: "0.1", "1e-08", "1".
package func shortest(_ value: Double) -> String {
  if let whole = Int(exactly: value), abs(whole) < 1_000_000 { return "\(whole)" }
  return "\(value)"
}

/// The name with the smallest edit distance, for "did you mean"; nil if more than a third of its characters differ.
/// Dashes count as underscores.
package func nearest(to name: String, among names: [String]) -> String? {
  let wanted = Array(name.lowercased().utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 })
  // The edit distance takes quadratic time, and text this long is not a misspelt name.
  guard wanted.count <= 256 else { return nil }
  let ranked = names.map { (name: $0, errors: editDistance(wanted, Array($0.utf8))) }
  guard let best = ranked.min(by: { $0.errors < $1.errors }), best.errors <= max(2, best.name.utf8.count / 3)
  else { return nil }
  return best.name
}
