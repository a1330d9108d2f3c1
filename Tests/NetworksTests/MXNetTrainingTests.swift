import Foundation
import Models
import TestSupport
import Testing
import TrainingCases

@testable import Networks

/// Small networks that MXNet 1.9.1 has trained for some steps; tools/oracle/models/training_steps.py --goldens writes them.
struct MXNetTrainingTests {
  private static func golden(_ name: String) throws -> TrainingCase {
    try TrainingCase(
      URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
        "Goldens/training/\(name)"
      ).path)
  }

  private static func trainer(
    _ golden: TrainingCase, _ optimizer: Optimizer, kernels: String
  ) throws -> Trainer {
    try Trainer(
      golden.model.graph, golden.model.parameters, batch: golden.batch, optimizer: optimizer,
      workers: Workers(count: 2), kernels: kernels)
  }

  private static func expected(_ golden: TrainingCase, _ name: String) throws -> Parameters {
    try Parameters(file: "\(golden.folder)/expected/\(name).params")
  }

  /// Relative to the largest number.
  private static func difference(_ one: [Float], _ other: [Float]) -> Double {
    greatestDifference(one, other) / Double(other.reduce(1e-30) { max($0, abs($1)) })
  }

  static let cases = ["v1", "v2", "bottleneck-v1", "bottleneck-v2", "labels", "soft"]

  @Test(
    "outputs and gradients of a batch are MXNet's within 1e-4", arguments: cases,
    NetworkKernels.singlePrecision.map(\.name))
  func gradients(name: String, kernels: String) throws {
    let golden = try Self.golden(name)
    let (outputs, found) = golden.gradients(
      try Self.trainer(golden, .sgd(momentum: 0, weightDecay: 0), kernels: kernels))
    #expect(Self.difference(outputs, try Self.expected(golden, "outputs").values(of: "outputs")) < 1e-4)
    let expected = try Self.expected(golden, "gradients")
    #expect(!found.isEmpty)
    for (array, gradient) in found {
      let worst = Self.difference(gradient.values, try expected.values(of: array))
      #expect(worst < 1e-4, "\(array): \(worst)")
    }
  }

  @Test("each optimiser's steps and losses are MXNet's", arguments: cases)
  func steps(name: String) throws {
    let golden = try Self.golden(name)
    let known = try JSONDecoder().decode(
      [String: [Double]].self,
      from: Data(contentsOf: URL(fileURLWithPath: golden.folder + "/expected/losses.json")))
    // The arrays that are learnt or watched; a fixed gamma is neither.
    let names = Set(golden.model.graph.parameters.map(\.name)).sorted()
    for run in golden.runs {
      let losses = try golden.losses(
        of: run, Self.trainer(golden, run.method(), kernels: NetworkKernels.best.name)
      ) { learnt in
        let expected = try Self.expected(golden, run.name)
        for array in names {
          let worst = Self.difference(try learnt.values(of: array), try expected.values(of: array))
          #expect(worst < (run.keep == 1 ? 1e-4 : 1e-3), "\(run.name): \(array): \(worst)")
        }
      }
      let expected = try #require(known[run.name])
      #expect(losses.count == expected.count)
      for (step, loss) in losses.enumerated() {
        #expect(
          abs(loss / expected[step] - 1) < 2e-3, "\(run.name), step \(step): \(loss), not \(expected[step])")
      }
    }
  }
}
