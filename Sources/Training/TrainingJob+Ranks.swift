import Encodings
import Hyperparameters
import Networks

extension TrainingJob {
  /// What all ranks have to have in common.
  var common: String {
    let values = HyperparameterSet.table.map { "\($0.name)=\($0.get(hyperparameters)?.text ?? "")" }
    let sets = [train, validation].map { "\($0.count) \($0.histogram)" }
    let place = checkpoint.map { "\($0.place) \($0.updateCount)" } ?? "the start"
    return (values + sets + [place, Network.availableKernels.last ?? ""]).joined(separator: "\n")
  }

  /// The lines of the log between "---- Parameters ----" and the dashes.
  public var parameterLines: [String] { hyperparameters.parameterLines(hosts: ranks.count) }

  /// `fit`, with the ends that all ranks come to together.
  func fitTogether(_ options: FitOptions, _ parts: FitParts) throws -> TrainingRecord {
    do { return try fit(options, parts, start: start, from: checkpoint) } catch {
      switch error {
      case is CancellationError: ranks.endTogether()
      case let error as FitError:
        if case .diverged = error.reason { ranks.endTogether() }
      default: break
      }
      throw error
    }
  }

  /// The images that other ranks could not decode, for the first to tell.
  func faults(ofOthers own: [Batches.Fault]) -> [[Batches.Fault]] {
    if ranks.count == 1 { return [] }
    let bytes = own.isEmpty ? [] : (try? JSON.encode(own, style: .line)) ?? []
    return ranks.gather(bytes).map { (try? JSON.decode([Batches.Fault].self, from: $0)) ?? [] }
  }
}
