import ArgumentParser
import Packing
import Records

/// How a folder of class folders is split: the options that `list` and `convert` share.
struct SplitOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Training images per class; the others are for validation.", valueName: "count"),
    transform: wholeNumber(1...1_000_000_000))
  var perClass: Int?
  @Option(help: ArgumentHelp("Share of each class for training.", valueName: "0-1"))
  var trainRatio: Double?
  @Option(help: ArgumentHelp("Share of each class for validation.", valueName: "0-1"))
  var valRatio: Double?
  @Option(help: ArgumentHelp("Share of each class for testing.", valueName: "0-1"))
  var testRatio: Double?
  @Option(
    help: ArgumentHelp("Cross-validation with this many folds.", valueName: "count"),
    transform: wholeNumber(2...1000))
  var folds: Int?
  @Option(help: ArgumentHelp("Seed of the random split.", valueName: "number"))
  var seed = 100
  @Flag(help: "Give small classes one image for validation, the rest for training.")
  var allowSmallClasses = false
  @Option(
    help: ArgumentHelp("Leave out matching folders or images. (repeatable)", valueName: "glob"))
  var exclude: [String] = []
  @Option(
    help: ArgumentHelp("Lines path<TAB>group; groups are not split.", valueName: "file"))
  var groups: String?

  func validate() throws {
    if [perClass != nil, hasRatios, folds != nil].filter({ $0 }).count > 1 {
      throw ValidationError(
        "--per-class, --train-ratio/--val-ratio/--test-ratio and --folds exclude each other")
    }
    if allowSmallClasses && (hasRatios || folds != nil) {
      throw ValidationError("--allow-small-classes needs --per-class")
    }
    for (name, value) in [("train", trainRatio), ("val", valRatio), ("test", testRatio)] {
      if let value, !(0...1).contains(value) {
        throw ValidationError("--\(name)-ratio takes a number from 0 to 1")
      }
    }
    // Decimal fractions such as 0.7 + 0.2 + 0.1 can add up to slightly more than 1.
    let sum = [trainRatio, valRatio, testRatio].reduce(0) { $0 + ($1 ?? 0) }
    if sum > 1 + 1e-9 { throw ValidationError("the ratios add up to \(sum), which is more than 1") }
  }

  private var hasRatios: Bool { trainRatio != nil || valRatio != nil || testRatio != nil }

  func split(perClassByDefault: Int?) -> Split? {
    if let folds { return .folds(folds) }
    if hasRatios { return .completedRatios(train: trainRatio, validation: valRatio, test: testRatio) }
    return (perClass ?? perClassByDefault).map { .perClass($0, allowSmallClasses: allowSmallClasses) }
  }

  func options(perClassByDefault: Int? = nil, strict: Bool) -> ListingOptions {
    var options = ListingOptions()
    options.split = split(perClassByDefault: perClassByDefault)
    options.seed = seed
    options.excluding = exclude
    options.groups = groups
    options.strict = strict
    return options
  }
}
