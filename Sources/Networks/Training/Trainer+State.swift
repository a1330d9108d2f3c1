public import Models

/// Weights and what else a checkpoint needs.
extension Trainer {
  func update(learningRate: Double, count: Int) {
    state.update(rate: learningRate, images: count, workers, set)
    isPacked = false
  }

  func pack() {
    let packing = packing
    workers.forEach(packing.count) { index, _ in packing[index].layer.pack(packing[index].piece) }
    isPacked = true
  }

  func load(_ parameters: Parameters) throws {
    try graph.check(parameters)
    try learnt.set(parameters, in: learnt.values)
    for norm in normalizations.compactMap(\.self) {
      guard let names = norm.statistics else { continue }
      norm.restore(
        mean: try parameters.values(of: names.mean), variance: try parameters.values(of: names.variance))
    }
    isPacked = false
  }

  public func parameters() throws -> Parameters {
    var arrays = learnt.arrays(in: learnt.values)
    for norm in normalizations.compactMap(\.self) {
      guard let names = norm.statistics else { continue }
      arrays[names.mean] = Parameters.Array(shape: [norm.movingMean.count], values: norm.movingMean)
      arrays[names.variance] = Parameters.Array(
        shape: [norm.movingVariance.count], values: norm.movingVariance)
    }
    return Parameters(arrays)
  }

  public func startAverage(_ parameters: Parameters) throws {
    weightAverage = try WeightAverage(
      learnt, normalizations.compactMap(\.self), startingAt: parameters)
  }

  public func updateAverage(keeping kept: Float) { weightAverage?.update(keeping: kept, workers) }

  public func average() -> Parameters? { weightAverage.map { Parameters($0.arrays()) } }

  public func optimizerState() -> (arrays: [String: Parameters.Array], updateCount: Int) {
    (state.arrays(), state.updateCount)
  }

  public func restore(
    _ parameters: Parameters, optimizerState: [String: Parameters.Array], updateCount: Int
  ) throws {
    try load(parameters)
    try state.restore(optimizerState, updateCount: updateCount)
  }
}
