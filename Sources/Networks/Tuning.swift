/// What was found by measuring, in one place.
enum Tuning {
  /// Tiles of Winograd's transform at once.
  static func tiles(channels: Int) -> Int {
    channels <= 64 ? 28 : channels <= 128 ? 14 : channels <= 256 ? 28 : 64
  }
  /// Transformed weights from this size on are divided among the workers when these share one image.
  static let sharedWeightBytes = 4 << 20
}

extension Tuning {
  /// Images that one worker takes through the later layers at once.
  static let imagesAtOnce = 16
  /// Values from this size on do not stay in a core's cache from one layer to the next with more than one image.
  static let aloneBytes = 1 << 20

  static func prefersWinograd(_ from: Value, _ to: Value, batch: Int) -> Bool {
    // For one image the transformed weights of the last stage would have to come from memory for a handful of tiles.
    batch > 1 || from.positions > 49 || from.blocks < 16
  }

  static func transformedWeightBytes(batch: Int) -> Int { batch > 1 ? .max : 190 << 20 }
  /// Tiles that are transformed at once for the gradient of weights.
  static let gradientTiles = 64
}
