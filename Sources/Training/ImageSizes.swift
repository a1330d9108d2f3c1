import Imaging

/// The presets of a training's epochs: of one size, or of images that grow.
///
/// With `progressive_start` the first three quarters of the epochs are in three steps from that side up, the last quarter
/// has the whole shape; `resize` shrinks along, so that an image shows as much of its scene.
struct ImageSizes: Sendable {
  private let stages: [Preset]
  private let epochs: Int

  init(_ hyperparameters: Hyperparameters) throws(PresetError) {
    epochs = hyperparameters.epochs
    let whole = try hyperparameters.preset()
    guard let start = hyperparameters.progressiveStart, start < min(whole.height, whole.width) else {
      stages = [whole]
      return
    }
    var stages: [Preset] = []
    let side = min(whole.height, whole.width)
    for stage in 0..<Self.stageCount - 1 {
      let wanted = start + (side - start) * stage / (Self.stageCount - 1)
      let shape =
        [whole.channels] + whole.shape[1...].map { Self.scaled($0, wanted, side, rows: whole.height) }
      let resize = whole.resize.map { max($0 * wanted / side, shape[1] + 1, shape[2] + 1) }
      stages.append(
        try Preset(mode: .crop, resize: resize, shape: shape, mean: whole.mean, std: whole.std))
    }
    self.stages = stages + [whole]
  }

  private static let stageCount = 4

  /// A multiple of 16, as the network halves a side again and again; no other stem than the whole image's.
  private static func scaled(_ length: Int, _ wanted: Int, _ side: Int, rows: Int) -> Int {
    let least = rows > 32 ? 33 : rows > 28 ? 29 : 1
    let scaled = length * wanted / side
    let rounded = rows > 32 ? max(16, (scaled + 8) / 16 * 16) : scaled
    return min(length, max(least, rounded))
  }

  /// How an epoch's images are prepared.
  func preset(epoch: Int) -> Preset {
    let stage = stages.count == 1 ? 0 : min(stages.count - 1, epoch * stages.count / max(1, epochs))
    return stages[stage]
  }
}
