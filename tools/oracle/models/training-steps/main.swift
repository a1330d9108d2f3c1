// Trains the network of a folder for some steps and writes outputs, gradients, weights and losses beside it, for a
// comparison with MXNet: see training_steps.py.
import Foundation
import Models
import Networks
import TrainingCases

/// - Parameter kernels: one of `Network.availableKernels`; nil: the best.
func run(_ folder: String, kernels: String?, workers: Workers) throws {
  let given = try TrainingCase(folder)
  func trainer(_ optimizer: Optimizer) throws -> Trainer {
    try Trainer(
      given.model.graph, given.model.parameters, batch: given.batch, optimizer: optimizer, workers: workers,
      kernels: kernels)
  }
  func write(_ arrays: [String: Parameters.Array], _ name: String) throws {
    let sorted = arrays.sorted { $0.key < $1.key }
    try ParameterWriter.write("\(folder)/ours-\(name).params", sorted.map(\.key)) {
      (index) throws(ModelError) in
      sorted[index].value
    }
  }

  let (outputs, gradients) = given.gradients(try trainer(.sgd(momentum: 0, weightDecay: 0)))
  try write(
    ["outputs": Parameters.Array(shape: [given.batch, given.outputCount], values: outputs)], "outputs")
  try write(gradients, "gradients")
  var losses: [String: [Double]] = [:]
  for run in given.runs {
    losses[run.name] = try given.losses(of: run, trainer(run.method())) { learnt in
      try write(try learnt.arraysInMemory(), run.name)
    }
  }
  try JSONEncoder().encode(losses).write(to: URL(fileURLWithPath: folder + "/ours-losses.json"))
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
