import Encodings
import Files
public import Hyperparameters
public import Models

/// The complete state of a training between two batches, stored as one MXNet `.params` file: the weights, the
/// optimizer's arrays, the moving average, and the counters as JSON (an array with one number for each byte).
///
/// A new checkpoint replaces the previous one by an atomic rename.
public struct Checkpoint: Sendable {
  /// What must not change when a training is resumed: hyperparameters and other settings by name.
  public var identity: [String: String]
  /// The network's arrays by name, without MXNet's prefixes `arg:` and `aux:`.
  public var weights: [String: Parameters.Array]
  /// The optimizer's arrays by name: "momentum:NAME", ...
  public var optimizer: [String: Parameters.Array]
  /// Updates made so far, over all epochs.
  public var updateCount: Int
  /// The moving average of the weights; nil without `ema_decay`.
  public var average: [String: Parameters.Array]?
  package var state: FitState

  /// The name of the file in the folder of checkpoints.
  public static let fileName = "imrec-checkpoint.params"

  /// The epoch and the batch to train next; both count from 0.
  public var place: (epoch: Int, batch: Int) { (state.epoch, state.batch) }
  /// The figures of the epochs completed so far.
  public var record: TrainingRecord { state.record }

  private struct Header: Codable {
    var version = 1
    var identity: [String: String]
    var updateCount: Int
    var hasAverage: Bool
    var state: FitState
  }
  private static let stateName = "state"

  package init(
    identity: [String: String], weights: [String: Parameters.Array], optimizer: [String: Parameters.Array],
    updateCount: Int, average: [String: Parameters.Array]?, state: FitState
  ) {
    self.identity = identity
    self.weights = weights
    self.optimizer = optimizer
    self.updateCount = updateCount
    self.average = average
    self.state = state
  }

  /// - Throws: `ModelError` if the file cannot be written; an encoding error if the state holds NaN or infinity. An
  ///   existing file at `path` is then unchanged.
  /// - Complexity: O(numbers), plus an fsync.
  public func write(to path: String) throws {
    let header = Header(
      identity: identity, updateCount: updateCount, hasAverage: average != nil, state: state)
    let text = try JSON.encode(header, style: .line).map { Float($0) }
    var arrays = [(Self.stateName, Parameters.Array(shape: [text.count], values: text))]
    for (prefix, group) in [("weights/", weights), ("optimizer/", optimizer), ("average/", average ?? [:])] {
      arrays += group.sorted { $0.key < $1.key }.map { (prefix + $0.key, $0.value) }
    }
    try ParameterWriter.write(path, arrays.map(\.0)) { (index) throws(ModelError) in arrays[index].1 }
  }

  /// - Throws: `ModelError` with the byte offset if the file is damaged; `FitError` if it is not a checkpoint, or has
  ///   another version.
  public init(path: String) throws {
    let file = try Parameters(file: path)
    guard file.shape(of: Self.stateName) != nil else {
      throw FitError(.badCheckpoint(path: path, "it holds no training state"))
    }
    let bytes = try file.values(of: Self.stateName).map { UInt8(exactly: $0) ?? 0 }
    let header: Header
    do throws(JSONError) { header = try JSON.decode(Header.self, from: bytes) } catch {
      throw FitError(.badCheckpoint(path: path, "its training state cannot be decoded: \(error)"))
    }
    guard header.version == 1 else {
      throw FitError(.badCheckpoint(path: path, "its version is \(header.version); version 1 is expected"))
    }
    guard header.updateCount >= 0, header.state.isPossible else {
      throw FitError(.badCheckpoint(path: path, "its counters are out of range"))
    }
    func group(_ prefix: String) throws -> [String: Parameters.Array] {
      var arrays: [String: Parameters.Array] = [:]
      for name in file.names where name.hasPrefix(prefix) {
        arrays[String(name.dropFirst(prefix.count))] = Parameters.Array(
          shape: file.shape(of: name) ?? [], values: try file.values(of: name))
      }
      return arrays
    }
    self.init(
      identity: header.identity, weights: try group("weights/"), optimizer: try group("optimizer/"),
      updateCount: header.updateCount, average: header.hasAverage ? try group("average/") : nil,
      state: header.state)
  }

  /// What a checkpoint from before there was a choice is of.
  private static let unsaid = ["precision": HyperparameterSet.Precision.fp32.rawValue]

  /// Refuses a checkpoint of a training with another identity.
  func check(_ identity: [String: String], path: String) throws(FitError) {
    for name in Set(identity.keys).union(self.identity.keys).sorted() {
      let (there, here) = (self.identity[name] ?? Self.unsaid[name], identity[name])
      if there != here {
        throw FitError(
          .otherTraining(path: path, name: name, there: there ?? "not set", here: here ?? "not set"))
      }
    }
  }
}
