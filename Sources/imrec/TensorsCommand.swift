import ArgumentParser
import Files
import Imaging
import Packing
import Records
import Terminal

/// How an image becomes a tensor: the options that `tensors` and `bench decode` share.
struct TensorShapeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Channels, height, width. (default: 3,224,224)", valueName: "c,h,w"),
    transform: numbers(3))
  var shape: [Int] = [3, 224, 224]
  @Option(
    help: ArgumentHelp("First scale the shorter side to this. (default: keep the size)", valueName: "pixels"),
    transform: wholeNumber(1...65_535))
  var resize: Int?
  @Option(
    help: ArgumentHelp("Subtract this from each channel (0-255).", valueName: "r,g,b"), transform: decimals)
  var mean: [Float] = [0, 0, 0]
  @Option(help: ArgumentHelp("Divide each channel by this.", valueName: "r,g,b"), transform: decimals)
  var std: [Float] = [1, 1, 1]
  @Flag(help: "Scale to the shape without cropping; the aspect ratio changes.")
  var squash = false

  func preset() throws -> Preset {
    do {
      return try Preset(
        mode: squash ? .squash : .crop, resize: resize, shape: shape, mean: mean, std: std, filter: .linear)
    } catch {
      throw ValidationError("\(error)")
    }
  }
}

struct TensorsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tensors",
    abstract: "Turn records into NumPy arrays, as ImageRecordIter does.",
    discussion: """
      Writes X.npy of shape (N, C, H, W) and X-labels.npy, bit for bit as MXNet's
      ImageRecordIter without augmentation.
      EXAMPLE: imrec tensors val.rec -o val.npy --resize 256 --mean 123.7,116.8,103.9
      """)

  @Argument(help: "A .rec file.")
  var file: String
  @Option(
    name: [.short, .customLong("output")],
    help: ArgumentHelp("The array of images; .npy is added if it is missing.", valueName: "X.npy"))
  var output: String
  @OptionGroup(title: "Tensor") var tensor: TensorShapeOptions
  @Option(help: "uint8 keeps the pixels and takes no mean or std.")
  var dtype = TensorType.float32
  @Flag(help: "Use damaged JPEGs as far as they decode, as MXNet does.")
  var keepDamaged = false
  @OptionGroup(title: "Running") var jobs: JobOptions
  @OptionGroup(title: "Output") var results: OutputOptions

  func validate() throws {
    _ = try tensor.preset()
    if dtype == .uint8 && (tensor.mean != [0, 0, 0] || tensor.std != [1, 1, 1]) {
      throw ValidationError("--dtype uint8 keeps the pixels, so --mean and --std cannot be used with it")
    }
    if hasSameBytes(output, file) { throw ValidationError("the output has the name of the input") }
  }

  func run() async throws {
    var options = TensorOptions(preset: try tensor.preset())
    options.type = dtype
    options.keepDamaged = keepDamaged
    options.jobs = jobs.jobs.count
    options.maximumPixelCount = jobs.maximumPixelCount
    let display = ProgressDisplay(unit: "images", quiet: results.quiet)
    let summary = try await writeTensors(file, to: output, options: options) { display.update($0) }
    display.finish()
    results.words.skipped(summary.skipped)
    try results.finish(summary, skippedCount: summary.skipped.count) {
      let shape = summary.shape.map { "\($0)" }.joined(separator: ", ")
      return "\(summary.images): \(dtype.rawValue) (\(shape))\n\(summary.labels)\n"
    }
  }
}

/// A parser for `count` whole numbers above 0, separated by commas.
func numbers(_ count: Int) -> @Sendable (String) throws -> [Int] {
  { text in
    let values = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard values.count == count, !values.contains(where: { ($0 ?? 0) < 1 }) else {
      throw ValidationError("'\(text)' is not \(count) whole numbers above 0, separated by commas")
    }
    return values.compactMap { $0 }
  }
}

/// Parses one number for all channels, or three, separated by commas.
@Sendable func decimals(_ text: String) throws -> [Float] {
  let values = text.split(separator: ",", omittingEmptySubsequences: false).map { Float($0) }
  guard values.count == 1 || values.count == 3, values.allSatisfy({ $0?.isFinite ?? false }) else {
    throw ValidationError("'\(text)' is not one number or three, separated by commas")
  }
  let found = values.compactMap { $0 }
  return found.count == 1 ? [found[0], found[0], found[0]] : found
}
