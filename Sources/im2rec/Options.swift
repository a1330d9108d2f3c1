import Imaging

/// The options of the command line, with im2rec.py's defaults.
struct Options: Equatable, Sendable {
  enum Encoding: String, CaseIterable {
    case jpeg = ".jpg"
    case png = ".png"
  }

  /// The prefix of the list and record files, or the folder that contains the lists.
  var prefix = ""
  /// The folder that paths in the lists are relative to.
  var root = ""

  var list = false
  var extensions = [".jpeg", ".jpg", ".png"]
  var chunks = 1
  var trainRatio = 1.0
  var testRatio = 0.0
  var recursive = false
  var shuffle = true

  var passThrough = false
  /// The length in pixels that the shorter side is resized to; 0 keeps the size.
  var resize = 0
  var centerCrop = false
  var quality = 95
  /// How many images are processed at once. The output does not depend on it.
  var threads = 1
  /// OpenCV's `imread` flag: 1 colour, 0 grey, -1 unchanged.
  var color = 1
  var encoding = Encoding.jpeg
  var packLabel = false

  // Not in im2rec.py:
  var keepDamaged = false
  var strict = false
  var maximumPixelCount = Options.standardMaximumPixelCount
  var quiet = false

  static let standardMaximumPixelCount = DecodeOptions.standardMaximumPixelCount
  /// More threads would only use more memory.
  static let threadLimit = 256

  /// `quality` clamped to the encoder's range, as in OpenCV; the default 95 therefore means compression level 9 for
  /// PNG.
  var effectiveQuality: Int {
    switch encoding {
    case .jpeg: min(max(quality, 1), 100)
    case .png: min(max(quality, 0), 9)
    }
  }
}

/// An option of the command line; the raw value is its long name.
enum Switch: String, CaseIterable {
  case list, exts, chunks
  case trainRatio = "train-ratio"
  case testRatio = "test-ratio"
  case recursive
  case noShuffle = "no-shuffle"
  case passThrough = "pass-through"
  case resize
  case centerCrop = "center-crop"
  case quality
  case numThread = "num-thread"
  case color, encoding
  case packLabel = "pack-label"
  case help

  // Not in im2rec.py 1.9.1. (`--shuffle 1` existed up to MXNet 1.0.)
  case shuffle
  case keepDamaged = "keep-damaged"
  case maxPixels = "max-pixels"
  case strict, quiet, version

  /// How many values an option takes.
  enum Arity { case none, one, oneOrMore }

  var arity: Arity {
    switch self {
    case .exts: .oneOrMore
    case .chunks, .trainRatio, .testRatio, .resize, .quality, .numThread, .color, .encoding, .maxPixels: .one
    default: .none
    }
  }

  /// Whether im2rec.py 1.9.1 has the option. Additional options must not make an abbreviation ambiguous that is valid
  /// in im2rec.py.
  var isOriginal: Bool {
    switch self {
    case .shuffle, .keepDamaged, .maxPixels, .strict, .quiet, .version: false
    default: true
    }
  }

  var spelling: String { "--" + rawValue }
}

/// Wrong usage; the description is a sentence for the user.
struct UsageError: Error, Equatable, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
