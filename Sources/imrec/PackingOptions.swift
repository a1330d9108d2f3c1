import ArgumentParser
import Imaging
import Pipelines

/// How images become records: the options that `pack` and `convert` share.
struct PackingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Scale the shorter side to this, up or down. (default: keep the size)", valueName: "pixels"),
    transform: wholeNumber(1...65_535))
  var resize: Int?
  @Flag(help: "Cut the central square out, before resizing.")
  var centerCrop = false
  @Option(
    help: ArgumentHelp("JPEG quality, or PNG compression level (above 9 means 9).", valueName: "0-100"),
    transform: wholeNumber(0...100))
  var quality = 95
  @Option(help: "Format of the stored images.")
  var encoding = PackOptions.Encoding.jpg
  @Option(help: "unchanged keeps alpha and 16 bits, and does not apply EXIF orientation.")
  var color = ColorMode.rgb
  @Option(help: "linear is OpenCV's INTER_LINEAR, bit for bit.")
  var filter = Filter.linear
  @Flag(help: "Store the files as they are; they are checked, not decoded.")
  var passThrough = false
  @Flag(help: "Store all labels of a line, not only the first.")
  var packLabel = false
  @Flag(help: "Pack damaged JPEGs as far as they decode, as im2rec.py does.")
  var keepDamaged = false
  @Flag(help: "Go on where an interrupted run stopped.")
  var resume = false
  @Flag(help: "Stop at the first input that cannot be used.")
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
    options.jobs = jobs.jobs
    options.maximumPixelCount = jobs.maximumPixelCount
    return options
  }
}
