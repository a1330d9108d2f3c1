import Foundation
import Models
import Tensors
import TestSupport
import Testing

@testable import Networks

/// Small networks that MXNet 1.9.1 has trained for some steps; tools/oracle/training_steps.py --goldens writes them.
struct MXNetTrainingTests {
  private struct Steps: Decodable {
    struct Run: Decodable {
      let name: String, optimizer: String
      let learningRate: Double
      let steps: Int, keep: Int
      let momentum: Double?, weightDecay: Double?, beta1: Double?, beta2: Double?, eps: Double?,
        gamma: Double?

      enum CodingKeys: String, CodingKey {
        case name, optimizer, momentum, eps, gamma, steps, keep
        case learningRate = "learning_rate"
        case weightDecay = "weight_decay"
        case beta1 = "beta_1"
        case beta2 = "beta_2"
      }

      func method() throws -> Optimizer {
        switch optimizer {
        case "sgd": .sgd(momentum: momentum ?? 0, weightDecay: weightDecay ?? 0)
        case "nag": .nag(momentum: momentum ?? 0, weightDecay: weightDecay ?? 0)
        case "adam":
          .adam(beta1: try #require(beta1), beta2: try #require(beta2), epsilon: try #require(eps))
        default: .rmsprop(gamma: try #require(gamma), epsilon: try #require(eps))
        }
      }
    }
    let batch: Int, outputs: Int
    let shape: [Int]
    let runs: [Run]
  }

  /// One folder of goldens.
  private struct Case {
    let folder: String
    let steps: Steps
    let model: Model
    let images: [Float], targets: [Float]

    init(_ name: String) throws {
      folder =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Goldens/training/\(name)").path
      steps = try JSONDecoder().decode(
        Steps.self, from: Data(contentsOf: URL(fileURLWithPath: folder + "/steps.json")))
      model = try Model(folder + "/model", inputShape: steps.shape)
      let batches = try Parameters(file: folder + "/batches.params")
      images = try batches.values(of: "images")
      targets = try batches.values(of: "targets")
    }

    func expected(_ name: String) throws -> Parameters {
      try Parameters(file: "\(folder)/expected/\(name).params")
    }

    func trainer(_ optimizer: Optimizer, kernels: String) throws -> Trainer {
      try Trainer(
        model.graph, model.parameters, batch: steps.batch, optimizer: optimizer, workers: Workers(count: 2),
        kernels: kernels)
    }

    /// The batch of a step, as they take turns.
    func batch(_ step: Int) -> (images: ArraySlice<Float>, targets: ArraySlice<Float>) {
      let imageCount = steps.batch * steps.shape.reduce(1, *)
      let targetCount = steps.batch * steps.outputs
      let at = step % (images.count / imageCount)
      return (
        images[at * imageCount..<(at + 1) * imageCount], targets[at * targetCount..<(at + 1) * targetCount]
      )
    }

    /// The arrays that are learnt or watched; a fixed gamma is neither.
    var names: [String] { Array(Set(model.graph.parameters.map(\.name))).sorted() }
  }

  /// Relative to the largest number.
  private static func difference(_ one: [Float], _ other: [Float]) -> Double {
    greatestDifference(one, other) / Double(other.reduce(1e-30) { max($0, abs($1)) })
  }

  static let cases = ["v1", "v2", "bottleneck-v1", "bottleneck-v2", "labels", "soft"]

  @Test(
    "outputs and gradients of a batch are MXNet's within 1e-4", arguments: cases,
    KernelSet.available.map(\.name))
  func gradients(name: String, kernels: String) throws {
    let golden = try Case(name)
    let trainer = try golden.trainer(.sgd(momentum: 0, weightDecay: 0), kernels: kernels)
    let batch = golden.batch(0)
    var outputs = [Float](repeating: 0, count: batch.targets.count)
    var span = outputs.mutableSpan
    let found = trainer.gradients(
      batch.images.span, targets: batch.targets.span, count: golden.steps.batch, outputs: &span
    ).arrays
    #expect(Self.difference(outputs, try golden.expected("outputs").values(of: "outputs")) < 1e-4)
    let expected = try golden.expected("gradients")
    #expect(!found.isEmpty)
    for (array, gradient) in found {
      let worst = Self.difference(gradient.values, try expected.values(of: array))
      #expect(worst < 1e-4, "\(array): \(worst)")
    }
  }

  @Test("each optimiser's steps and losses are MXNet's", arguments: cases)
  func steps(name: String) throws {
    let golden = try Case(name)
    let losses = try JSONDecoder().decode(
      [String: [Double]].self,
      from: Data(contentsOf: URL(fileURLWithPath: golden.folder + "/expected/losses.json")))
    for run in golden.steps.runs {
      let trainer = try golden.trainer(run.method(), kernels: KernelSet.best.name)
      let known = try #require(losses[run.name])
      for step in 0..<run.steps {
        let batch = golden.batch(step)
        var outputs = [Float](repeating: 0, count: batch.targets.count)
        var span = outputs.mutableSpan
        let loss = try trainer.step(
          batch.images.span, targets: batch.targets.span, count: golden.steps.batch,
          learningRate: run.learningRate, outputs: &span
        ).loss
        #expect(abs(loss / known[step] - 1) < 2e-3, "\(run.name), step \(step): \(loss), not \(known[step])")
        guard step + 1 == run.keep else { continue }
        let (learnt, expected) = (try trainer.parameters(), try golden.expected(run.name))
        for array in golden.names {
          let worst = Self.difference(try learnt.values(of: array), try expected.values(of: array))
          #expect(worst < (step == 0 ? 1e-4 : 1e-3), "\(run.name): \(array): \(worst)")
        }
      }
    }
  }
}
