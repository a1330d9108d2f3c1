import Encodings

/// What became of one epoch: a line of `metrics.jsonl`, a point of the report's curves.
public struct EpochRecord: Hashable, Sendable, Codable {
  /// From 0, as in the log.
  public var epoch = 0
  /// Images trained on: whole batches.
  public var images = 0
  public var trainLoss = 0.0
  public var trainAccuracy = 0.0
  public var trainTopAccuracy: Double?
  public var validationImages = 0
  public var validationLoss = 0.0
  public var validationAccuracy = 0.0
  public var validationTopAccuracy: Double?
  /// The rate of the last batch.
  public var learningRate = 0.0
  /// Channels, height, width of the images.
  public var shape: [Int] = []
  /// The time of the training, without the validation.
  public var seconds = 0.0
  public var imagesPerSecond = 0.0
  /// The time spent waiting for images, and in each part of the steps.
  public var dataSeconds = 0.0
  public var forwardSeconds = 0.0
  public var backwardSeconds = 0.0
  public var updateSeconds = 0.0
  public var validationSeconds = 0.0
  /// Whether no epoch before had a better validation accuracy.
  public var isBest = false

  public init() {}

  /// Whether a training that ended with this epoch would leave this epoch's model as the one that is used: the best one,
  /// or, with `checkpoint_frequency`, the last of those that it stores.
  public func isKept(checkpointFrequency: Int?) -> Bool {
    guard let every = checkpointFrequency, every > 0 else { return isBest }
    // Where no epoch was due yet, the last one is stored.
    return (epoch + 1) % every == 0 || epoch + 1 < every
  }
}

extension EpochRecord {
  /// Reads a line of `metrics.jsonl`.
  ///
  /// - Returns: nil where the line is no epoch, as one that is only half written.
  public init?(line: some Sequence<UInt8>) {
    guard let record = try? JSON.decode(EpochRecord.self, from: Array(line), style: .line.snakeCase),
      (0..<1_000_000).contains(record.epoch)
    else { return nil }
    self = record
  }

  /// Reads the epochs of a `metrics.jsonl`, which may be written just now: a line that is no epoch is passed over.
  ///
  /// - Parameter limit: how many lines are read at most, the last ones.
  public static func read(_ bytes: [UInt8], limit: Int = .max) -> [EpochRecord] {
    bytes.split(separator: UInt8(ascii: "\n")).suffix(limit).compactMap { EpochRecord(line: $0) }
  }

  /// The line of `metrics.jsonl`, without a line end.
  ///
  /// - Throws: where a figure is not finite.
  public func line() throws -> String {
    String(decoding: try JSON.encode(self, style: .line.snakeCase), as: UTF8.self)
  }
}

/// The whole of a training so far.
public struct TrainingRecord: Hashable, Sendable, Codable {
  public var epochs: [EpochRecord] = []
  /// The one with the best validation accuracy; the first of equals.
  public var best: EpochRecord?
  public var hasStoppedEarly = false

  public init() {}
}
