public import ArgumentParser
import Files
public import Imaging
public import Inference
public import Networks
import Terminal

/// How a model's files become a classifier: the options that `predict`, `transform` and `host` share.
struct ModelOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Class names, one per line, in label order. (default: the model's classes.txt)", valueName: "file"))
  var classes: String?
  @Option(
    help: ArgumentHelp(
      "crop or squash. (default: from the model's preprocess.json, else squash, as SageMaker's endpoint does; crop for torchvision's models)",
      valueName: "mode"))
  var preprocess: Preset.Mode?
  @Option(
    help: ArgumentHelp(
      "With crop: scale the shorter side to this. (default: from preprocess.json; 256 for torchvision's models)",
      valueName: "pixels"),
    transform: wholeNumber(1...65_535))
  var resize: Int?
  @Option(
    help: ArgumentHelp(
      "Channels, height, width of the images. (default: from model-shapes.json, the .onnx or preprocess.json, else 3,224,224)",
      valueName: "c,h,w"),
    transform: numbers(3))
  var imageShape: [Int]?
  @Option(
    help: ArgumentHelp("The NNNN of the .params file. (default: the highest)", valueName: "number"),
    transform: wholeNumber(0...1_000_000_000))
  var epoch: Int?
  @OptionGroup var engine: EngineOptions
  @Option(
    name: .customLong("max-pixels"),
    help: ArgumentHelp(
      "Refuse images with more pixels. (default: 178956970; host: 25000000)", valueName: "count"),
    transform: wholeNumber(1...1 << 40))
  var maximumPixelCount: Int?

  /// Loads the model.
  ///
  /// - Parameter decoding: the decoding limits; `--max-pixels` overrides the pixel limit.
  func load(
    _ model: String, batch: Int = 32, words: Words,
    decoding: DecodeOptions = DecodeOptions()
  ) throws -> Classifier {
    var options = ClassifierOptions()
    options.mode = preprocess
    options.resize = resize
    options.classes = try classes.map { try classNames(readFile($0, limit: 1 << 26).bytes, path: $0) }
    options.imageShape = imageShape
    options.epoch = epoch
    options.engine = engine.engine
    options.kernels = engine.kernels
    options.threads = engine.threads.count
    options.batch = batch
    options.decoding = decoding
    if let maximumPixelCount { options.decoding.maximumPixelCount = maximumPixelCount }
    return try Classifier(model: model, options: options) { words.warn(printable($0)) }
  }
}

struct EngineOptions: ParsableArguments {
  @OptionGroup var threads: ThreadCount
  @Option(
    help: ArgumentHelp(
      "fast, or reference, which runs operator by operator, for comparisons.", valueName: "name"))
  var engine = Network.Engine.fast
  @Option(
    help: ArgumentHelp(
      "Kernels for this CPU: \(Network.availableKernels.joined(separator: ", ")). (default: the last)",
      valueName: "name"))
  var kernels: String?

  func validate() throws {
    if let kernels, !Network.availableKernels.contains(kernels) {
      throw ValidationError(
        "this CPU has no kernels '\(kernels)'; it can use \(Network.availableKernels.joined(separator: ", "))"
      )
    }
  }
}

extension Network.Engine: ExpressibleByArgument {}
extension Preset.Mode: ExpressibleByArgument {}
extension PredictionFormat: ExpressibleByArgument {}
