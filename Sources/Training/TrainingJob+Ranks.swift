import Encodings
import Hyperparameters
import Networks

extension TrainingJob {
  /// A description of everything that must be equal on all ranks.
  var common: String {
    let values = HyperparameterSet.table.map { "\($0.name)=\($0.get(hyperparameters)?.text ?? "")" }
    let sets = [train, validation].map { "\($0.count) \($0.histogram)" }
    let place = checkpoint.map { "\($0.place) \($0.updateCount)" } ?? "the start"
    return (values + sets + [place, Network.availableKernels.last ?? ""]).joined(separator: "\n")
  }

  /// The lines of SageMaker's log between "---- Parameters ----" and the line of dashes.
  public var parameterLines: [String] { hyperparameters.parameterLines(hosts: ranks.count) }

  /// Runs `fit`, and marks the errors that all ranks reach together, so that rank 0 alone reports them.
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

  /// The images that each rank could not decode, in rank order, so that rank 0 can report them.
  func faults(ofOthers own: [Batches.Fault]) -> [[Batches.Fault]] {
    if ranks.count == 1 { return [] }
    let bytes = own.isEmpty ? [] : (try? JSON.encode(own, style: .line)) ?? []
    return ranks.gather(bytes).map { (try? JSON.decode([Batches.Fault].self, from: $0)) ?? [] }
  }
}
