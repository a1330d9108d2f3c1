import Files
public import Models

/// The network that a benchmark runs: a model's, or one of random numbers that is named by its depth, so that nobody
/// needs a model to measure with.
public struct BenchModel: Sendable {
  public let graph: Graph
  public let parameters: Parameters

  /// - Parameter name: a folder or an archive; else "resnet-18", "resnet-50-v1": SageMaker's networks of these depths,
  ///   for 1000 classes and images of 224 x 224, those of depths 20, 32, 44, 56, 110 of 28 x 28.
  /// - Parameter inputShape: channels, height, width; nil: those of the model or of the name.
  /// - Throws: where it is neither.
  public init(_ name: String, epoch: Int? = nil, inputShape: [Int]? = nil) throws(ModelError) {
    if FileStamp(path: name) == nil, let network = try Self.network(named: name, inputShape) {
      graph = try network.graph
      var generator = Sequence(state: 1)
      // Pixels are not centred: their mean square is that of numbers from 0 to 255.
      parameters = Parameters(randomFor: graph, inputVariance: 255 * 255 / 3, using: &generator)
    } else {
      let model = try Model(name, epoch: epoch, inputShape: inputShape)
      graph = model.graph
      parameters = model.parameters
    }
  }

  private static func network(named name: String, _ inputShape: [Int]?) throws(ModelError) -> ResNet? {
    let parts = name.lowercased().split(separator: "-", omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), parts[0] == "resnet", let depth = Int(parts[1]) else { return nil }
    let version: ResNet.Version? = parts.count == 2 || parts[2] == "v2" ? .v2 : parts[2] == "v1" ? .v1 : nil
    guard let version else { return nil }
    let side = ResNet.smallDepths.contains(depth) ? 28 : 224
    return try ResNet(depth: depth, version: version, inputShape: inputShape ?? [3, side, side])
  }

  /// The same numbers on every machine (Knuth's MMIX, the high half of two steps).
  private struct Sequence: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      func step() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 32
      }
      return step() << 32 | step()
    }
  }
}
