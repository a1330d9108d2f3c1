import Files

/// Writes a model's files as MXNet's `save_checkpoint` and SageMaker name them: `STEM-symbol.json`,
/// `STEM-NNNN.params`, `model-shapes.json`. Each gets its name when it is whole.
public struct ModelWriter: Sendable {
  public let folder: String
  public let stem: String
  private let symbol: Symbol
  private let graph: Graph
  /// Of the parameters of the graph.
  private let shapes: [String: [Int]]

  /// - Parameters:
  ///   - folder: must be there.
  ///   - graph: that of the symbol.
  public init(_ symbol: Symbol, _ graph: Graph, folder: String, stem: String = "image-classification") {
    self.symbol = symbol
    self.graph = graph
    self.folder = folder
    self.stem = stem
    shapes = Dictionary(graph.parameters.map { ($0.name, $0.shape) }, uniquingKeysWith: { first, _ in first })
  }

  /// The symbol, and the shape of the images.
  ///
  /// - Parameter batch: stands in `model-shapes.json`; readers put their own in its place.
  public func writeNetwork(batch: Int) throws(ModelError) {
    let shape = ([batch] + graph.inputShape).map(String.init).joined(separator: ", ")
    do {
      try writeFile(join(folder, stem + "-symbol.json"), symbol.json)
      try writeFile(
        join(folder, ModelFiles.shapesName), "[{\"name\": \"data\", \"shape\": [\(shape)]}]\n")
    } catch { throw ModelError(error) }
  }

  /// Where the parameters of an epoch are, counted from 1.
  public func parametersPath(epoch: Int) -> String {
    let digits = String(epoch)
    let padded = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    return join(folder, "\(stem)-\(padded).params")
  }

  /// All arrays that MXNet asks for, in its order: `arg:` first, then the moving statistics as `aux:`. A gamma that is
  /// fixed, which no layer reads, is written as ones.
  ///
  /// - Throws: where a parameter of the graph is missing; where the disk is full: what the path held stays.
  /// - Returns: the path.
  @discardableResult
  public func writeParameters(_ parameters: Parameters, epoch: Int) throws(ModelError) -> String {
    let path = parametersPath(epoch: epoch)
    let names = arrayNames
    try ParameterWriter.write(path, names.map(\.key)) { (index) throws(ModelError) in
      try array(names[index].name, parameters)
    }
    return path
  }

  private func array(_ name: String, _ parameters: Parameters) throws(ModelError) -> Parameters.Array {
    if let shape = shapes[name] {
      return Parameters.Array(shape: shape, values: try parameters.values(of: name))
    }
    let count = shapes[name.dropLast("gamma".count) + "beta"]?.first ?? 1
    return Parameters.Array(shape: [count], values: [Float](repeating: 1, count: count))
  }

  /// The variables in the order of the symbol, with MXNet's prefix: without the image and the label.
  private var arrayNames: [(name: String, key: String)] {
    let moving = Set(
      graph.parameters.filter { $0.role == .mean || $0.role == .variance }.map(\.name))
    let names = symbol.nodes.filter { node in
      node.isVariable && (shapes[node.name] != nil || node.name.hasSuffix("_gamma"))
    }.map(\.name)
    return names.filter { !moving.contains($0) }.map { ($0, "arg:" + $0) }
      + names.filter(moving.contains).map { ($0, "aux:" + $0) }
  }
}
