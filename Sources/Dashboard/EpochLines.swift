import Encodings
import Hyperparameters

/// The epochs of a `metrics.jsonl`, which may be written just now: what cannot be read yet is passed over.
enum EpochLines {
  private struct Line: Decodable {
    var epoch: Int?
    var trainLoss, validationLoss, trainAccuracy, validationAccuracy, validationTopAccuracy: Double?
    var validationImages: Int?
    var learningRate, imagesPerSecond, seconds, validationSeconds: Double?
  }

  /// - Parameter limit: epochs, the last ones.
  static func read(_ bytes: [UInt8], limit: Int = 5000) -> [EpochRecord] {
    bytes.split(separator: UInt8(ascii: "\n")).suffix(limit).compactMap { text in
      guard let line = try? JSON.decode(Line.self, from: Array(text), style: .line.snakeCase),
        let number = line.epoch, number >= 0,
        number < 1_000_000
      else { return nil }
      var epoch = EpochRecord()
      epoch.epoch = number
      epoch.trainLoss = line.trainLoss ?? .nan
      epoch.validationLoss = line.validationLoss ?? .nan
      epoch.trainAccuracy = line.trainAccuracy ?? .nan
      epoch.validationAccuracy = line.validationAccuracy ?? .nan
      epoch.validationTopAccuracy = line.validationTopAccuracy
      epoch.validationImages = line.validationImages ?? 0
      epoch.learningRate = line.learningRate ?? .nan
      epoch.imagesPerSecond = line.imagesPerSecond ?? .nan
      epoch.seconds = line.seconds ?? 0
      epoch.validationSeconds = line.validationSeconds ?? 0
      return epoch
    }
  }
}
