import Imaging

/// What the command line asks for, with im2rec.py's defaults.
struct Options: Equatable, Sendable {
  enum Encoding: String, CaseIterable {
    case jpeg = ".jpg"
    case png = ".png"
  }

  /// Prefix of the list and record files, or the folder that holds the lists.
  var prefix = ""
  /// The folder that the paths in the lists are below.
  var root = ""

  var list = false
  var extensions = [".jpeg", ".jpg", ".png"]
  var chunks = 1
  var trainRatio = 1.0
  var testRatio = 0.0
  var recursive = false
  var shuffle = true

  var passThrough = false
  /// Length in pixels that the shorter side is scaled to; 0 keeps the size.
  var resize = 0
  var centerCrop = false
  var quality = 95
  /// Images in work at once; the bytes do not depend on it.
  var threads = 1
  /// OpenCV's `imread` flag: 1 colour, 0 grey, -1 unchanged.
  var color = 1
  var encoding = Encoding.jpeg
  var packLabel = false

  // What follows is not in im2rec.py.
  var keepDamaged = false
  var strict = false
  var maximumPixelCount = Options.standardMaximumPixelCount
  var quiet = false

  static let standardMaximumPixelCount = DecodeOptions.standardMaximumPixelCount
  /// More threads than this only take memory.
  static let threadLimit = 256

  /// `quality` as the encoder takes it: OpenCV brings what is out of range to the nearest value in it, so
  /// that the default 95 packs PNG with compression level 9.
  var effectiveQuality: Int {
    switch encoding {
    case .jpeg: min(max(quality, 1), 100)
    case .png: min(max(quality, 0), 9)
    }
  }
}

/// One option of the command line, named by its long spelling.
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

  // Not in im2rec.py 1.9.1; `--shuffle 1` was, up to MXNet 1.0.
  case shuffle
  case keepDamaged = "keep-damaged"
  case maxPixels = "max-pixels"
  case strict, quiet, version

  /// How many values belong to it.
  enum Arity { case none, one, oneOrMore }

  var arity: Arity {
    switch self {
    case .exts: .oneOrMore
    case .chunks, .trainRatio, .testRatio, .resize, .quality, .numThread, .color, .encoding, .maxPixels: .one
    default: .none
    }
  }

  /// Whether im2rec.py 1.9.1 has it: what is added here must not make a prefix ambiguous that is not so there.
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
