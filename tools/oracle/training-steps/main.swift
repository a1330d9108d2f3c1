// Trains the networks of a folder for some steps and writes what came out beside them, for a comparison with MXNet:
// see training_steps.py.
import Foundation
import Models
import Networks
import Tensors

struct Steps: Decodable {
  struct Run: Decodable {
    let name: String, optimizer: String
    let learningRate: Double
    /// How many, and after how many of them the parameters are written.
    let steps: Int, keep: Int
    let momentum: Double?, weightDecay: Double?, beta1: Double?, beta2: Double?, eps: Double?, gamma: Double?

    enum CodingKeys: String, CodingKey {
      case name, optimizer, momentum, eps, gamma, steps, keep
      case learningRate = "learning_rate"
      case weightDecay = "weight_decay"
      case beta1 = "beta_1"
      case beta2 = "beta_2"
    }

    var method: Optimizer? {
      switch optimizer {
      case "sgd": .sgd(momentum: momentum ?? 0, weightDecay: weightDecay ?? 0)
      case "nag": .nag(momentum: momentum ?? 0, weightDecay: weightDecay ?? 0)
      case "adam": .adam(beta1: beta1 ?? 0.9, beta2: beta2 ?? 0.999, epsilon: eps ?? 1e-8)
      case "rmsprop": .rmsprop(gamma: gamma ?? 0.9, epsilon: eps ?? 1e-8)
      default: nil
      }
    }
  }
  let batch: Int, outputs: Int
  let shape: [Int]
  let runs: [Run]
}

struct Fault: Error, CustomStringConvertible {
  let description: String
}

/// - Parameter kernels: nil: the best of this processor.
func run(_ folder: String, kernels: String?, workers: Workers) throws {
  let steps = try JSONDecoder().decode(
    Steps.self, from: Data(contentsOf: URL(fileURLWithPath: folder + "/steps.json")))
  let model = try Model(folder + "/model", inputShape: steps.shape)
  let batches = try Parameters(file: folder + "/batches.params")
  let images = try batches.values(of: "images")
  let targets = try batches.values(of: "targets")
  let imageCount = steps.batch * steps.shape.reduce(1, *)
  let targetCount = steps.batch * steps.outputs
  let batchCount = images.count / imageCount
  func trainer(_ optimizer: Optimizer) throws -> Trainer {
    try Trainer(
      model.graph, model.parameters, batch: steps.batch, optimizer: optimizer, workers: workers,
      kernels: kernels)
  }
  func batch(_ step: Int) -> (images: ArraySlice<Float>, targets: ArraySlice<Float>) {
    let at = step % batchCount
    return (
      images[at * imageCount..<(at + 1) * imageCount], targets[at * targetCount..<(at + 1) * targetCount]
    )
  }

  var outputs = [Float](repeating: 0, count: targetCount)
  let first = batch(0)
  let gradients = try trainer(.sgd(momentum: 0, weightDecay: 0)).gradients(first, into: &outputs, steps.batch)
  try write(
    ["outputs": Parameters.Array(shape: [steps.batch, steps.outputs], values: outputs)],
    to: folder + "/ours-outputs.params")
  try write(gradients, to: folder + "/ours-gradients.params")

  var losses: [String: [Double]] = [:]
  for run in steps.runs {
    guard let method = run.method else { throw Fault(description: "there is no optimizer \(run.optimizer)") }
    let trainer = try trainer(method)
    var found: [Double] = []
    for step in 0..<run.steps {
      found.append(try trainer.learn(batch(step), rate: run.learningRate, into: &outputs, steps.batch))
      guard step + 1 == run.keep else { continue }
      let learnt = try trainer.parameters()
      var arrays: [String: Parameters.Array] = [:]
      for name in learnt.names {
        arrays[name] = Parameters.Array(
          shape: learnt.shape(of: name) ?? [], values: try learnt.values(of: name))
      }
      try write(arrays, to: folder + "/ours-\(run.name).params")
    }
    losses[run.name] = found
  }
  try JSONEncoder().encode(losses).write(to: URL(fileURLWithPath: folder + "/ours-losses.json"))
}

extension Trainer {
  typealias Batch = (images: ArraySlice<Float>, targets: ArraySlice<Float>)

  func gradients(_ batch: Batch, into outputs: inout [Float], _ count: Int) -> [String: Parameters.Array] {
    var out = outputs.mutableSpan
    return gradients(batch.images.span, targets: batch.targets.span, count: count, outputs: &out).arrays
  }

  func learn(_ batch: Batch, rate: Double, into outputs: inout [Float], _ count: Int) throws -> Double {
    var out = outputs.mutableSpan
    return try step(
      batch.images.span, targets: batch.targets.span, count: count, learningRate: rate, outputs: &out
    ).loss
  }
}

func write(_ arrays: [String: Parameters.Array], to path: String) throws {
  var writer = try ParameterWriter(path, count: arrays.count)
  for (name, array) in arrays.sorted(by: { $0.key < $1.key }) {
    try writer.append(name, shape: array.shape, array.values.span)
  }
  try writer.publish()
}

let arguments = CommandLine.arguments.dropFirst()
guard let folder = arguments.first else {
  FileHandle.standardError.write(Data("usage: training-steps FOLDER [KERNELS [THREADS]]\n".utf8))
  exit(64)
}
let rest = Array(arguments.dropFirst())
do {
  try run(
    folder, kernels: rest.first.flatMap { $0 == "best" ? nil : $0 },
    workers: rest.count > 1 ? Workers(count: Int(rest[1]) ?? 1) : Workers())
} catch {
  FileHandle.standardError.write(Data("training-steps: \(error)\n".utf8))
  exit(1)
}
