import Encodings
import Files
public import Hyperparameters
public import Models

/// A training at one moment, as one file: an MXNet `.params` list with the weights, the optimiser's arrays, the moving
/// average, and the counts as JSON, a byte a number. It replaces the former one when it is whole.
public struct Checkpoint: Sendable {
  /// What has to be the same where a training goes on: hyperparameters by name.
  public var identity: [String: String]
  public var weights: [String: Parameters.Array]
  /// "momentum:NAME", ...
  public var optimizer: [String: Parameters.Array]
  public var updateCount: Int
  public var average: [String: Parameters.Array]?
  package var state: FitState

  public static let fileName = "imrec-checkpoint.params"

  /// The epoch and the batch that come next, from 0.
  public var place: (epoch: Int, batch: Int) { (state.epoch, state.batch) }
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

  /// - Throws: where the disk is full, or the state is not finite; the path then holds what it held.
  /// - Complexity: O(numbers), and a wait for the disk.
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

  /// - Throws: `ModelError` with the byte offset where the file is damaged; `FitError` where it is something else.
  public init(path: String) throws {
    let file = try Parameters(file: path)
    guard file.shape(of: Self.stateName) != nil else {
      throw FitError(.badCheckpoint(path: path, "it has no state"))
    }
    let bytes = try file.values(of: Self.stateName).map { UInt8(exactly: $0) ?? 0 }
    let header: Header
    do throws(JSONError) { header = try JSON.decode(Header.self, from: bytes) } catch {
      throw FitError(.badCheckpoint(path: path, "its state cannot be read: \(error)"))
    }
    guard header.version == 1 else {
      throw FitError(.badCheckpoint(path: path, "its version is \(header.version); 1 is expected"))
    }
    guard header.updateCount >= 0, header.state.isPossible else {
      throw FitError(.badCheckpoint(path: path, "its state has counts that no training has"))
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

  /// That it belongs to this training.
  func check(_ identity: [String: String], path: String) throws(FitError) {
    for name in Set(identity.keys).union(self.identity.keys).sorted() {
      let (there, here) = (self.identity[name], identity[name])
      if there != here {
        throw FitError(
          .otherTraining(path: path, name: name, there: there ?? "not set", here: here ?? "not set"))
      }
    }
  }
}
