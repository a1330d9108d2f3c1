import Foundation
public import Models
public import Networks

/// A network, batches and how to train on them: a folder that tools/oracle/models/training_steps.py writes.
public struct TrainingCase {
  public struct Run: Decodable {
    public let name: String
    private let optimizer: String
    public let learningRate: Double
    /// How many, and after how many of them the parameters are kept.
    public let steps: Int, keep: Int
    private let momentum: Double?, weightDecay: Double?
    private let beta1: Double?, beta2: Double?, eps: Double?, gamma: Double?

    private enum CodingKeys: String, CodingKey {
      case name, optimizer, momentum, eps, gamma, steps, keep
      case learningRate = "learning_rate"
      case weightDecay = "weight_decay"
      case beta1 = "beta_1"
      case beta2 = "beta_2"
    }

    /// - Throws: where the optimizer is unknown, or one of its parameters is missing.
    public func method() throws -> Optimizer {
      func given(_ value: Double?, _ what: String) throws -> Double {
        guard let value else { throw ModelError("the run \(name) has no \(what)") }
        return value
      }
      switch optimizer {
      case "sgd":
        return .sgd(
          momentum: try given(momentum, "momentum"), weightDecay: try given(weightDecay, "weight_decay"))
      case "nag":
        return .nag(
          momentum: try given(momentum, "momentum"), weightDecay: try given(weightDecay, "weight_decay"))
      case "adam":
        return .adam(
          beta1: try given(beta1, "beta_1"), beta2: try given(beta2, "beta_2"), epsilon: try given(eps, "eps")
        )
      case "rmsprop": return .rmsprop(gamma: try given(gamma, "gamma"), epsilon: try given(eps, "eps"))
      default: throw ModelError("there is no optimizer \(optimizer)")
      }
    }
  }
  private struct Facts: Decodable {
    let batch: Int, outputs: Int
    let shape: [Int]
    let runs: [Run]
  }
  private let facts: Facts
  public let folder: String
  public let model: Model
  private let images: [Float], targets: [Float]

  public var batch: Int { facts.batch }
  public var outputCount: Int { facts.outputs }
  public var runs: [Run] { facts.runs }

  public init(_ folder: String) throws {
    self.folder = folder
    facts = try JSONDecoder().decode(
      Facts.self, from: Data(contentsOf: URL(fileURLWithPath: folder + "/steps.json")))
    model = try Model(folder + "/model", inputShape: facts.shape)
    let batches = try Parameters(file: folder + "/batches.params")
    images = try batches.values(of: "images")
    targets = try batches.values(of: "targets")
  }

  /// The batch of a step, as they take turns.
  private func batch(_ step: Int) -> (images: ArraySlice<Float>, targets: ArraySlice<Float>) {
    let imageCount = batch * facts.shape.reduce(1, *)
    let targetCount = batch * outputCount
    let at = step % (images.count / imageCount)
    return (
      images[at * imageCount..<(at + 1) * imageCount], targets[at * targetCount..<(at + 1) * targetCount]
    )
  }

  /// The outputs of the first batch and the gradients of its summed loss.
  public func gradients(_ trainer: Trainer) -> (outputs: [Float], arrays: [String: Parameters.Array]) {
    var outputs = [Float](repeating: 0, count: batch * outputCount)
    let (images, targets) = batch(0)
    var span = outputs.mutableSpan
    let arrays = trainer.gradients(images.span, targets: targets.span, count: batch, outputs: &span).arrays
    return (outputs, arrays)
  }

  /// Trains as a run says.
  ///
  /// - Parameter keep: gets the parameters after as many steps as the run says.
  /// - Returns: the loss of each step, before its update.
  public func losses(
    of run: Run, _ trainer: Trainer, keep: (Parameters) throws -> Void
  ) throws -> [Double] {
    var outputs = [Float](repeating: 0, count: batch * outputCount)
    var losses: [Double] = []
    for step in 0..<run.steps {
      let (images, targets) = batch(step)
      var span = outputs.mutableSpan
      losses.append(
        try trainer.step(
          images.span, targets: targets.span, count: batch, learningRate: run.learningRate, outputs: &span
        ).loss)
      if step + 1 == run.keep { try keep(trainer.parameters()) }
    }
    return losses
  }
}
