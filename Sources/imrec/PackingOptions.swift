import ArgumentParser
import Imaging
import Packing
import Records

/// How images become records: the options that `pack` and `convert` share.
struct PackingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Scale the shorter side to this. (default: keep the size)", valueName: "pixels"),
    transform: wholeNumber(1...65_535))
  var resize: Int?
  @Flag(help: "Crop the central square before resizing.")
  var centerCrop = false
  @Option(
    help: ArgumentHelp("JPEG quality, or PNG level (up to 9). (default: 95)", valueName: "0-100"),
    transform: wholeNumber(0...100))
  var quality = 95
  @Option(help: "Format of the stored images.")
  var encoding = PackOptions.Encoding.jpg
  @Option(help: "unchanged keeps alpha, 16 bits and EXIF orientation.")
  var color = ColorMode.rgb
  @Option(help: "linear is OpenCV's INTER_LINEAR, bit for bit.")
  var filter = Filter.linear
  @Flag(help: "Store the files unchanged; they are still checked for damage.")
  var passThrough = false
  @Flag(help: "Store all labels of a line, not only the first.")
  var packLabel = false
  @Flag(help: "Pack damaged images as far as they decode, and report them.")
  var keepDamaged = false
  @Flag(help: "Continue where an interrupted run stopped.")
  var resume = false
  @Flag(help: "Stop at the first input that is unusable or doubtful.")
  var strict = false

  func options(_ jobs: JobOptions) -> PackOptions {
    var options = PackOptions()
    options.resize = resize
    options.centerCrop = centerCrop
    options.quality = quality
    options.encoding = encoding
    options.color = color
    options.filter = filter
    options.passThrough = passThrough
    options.packLabel = packLabel
    options.keepDamaged = keepDamaged
    options.resume = resume
    options.strict = strict
    options.jobs = jobs.jobs.count
    options.maximumPixelCount = jobs.maximumPixelCount
    return options
  }
}
