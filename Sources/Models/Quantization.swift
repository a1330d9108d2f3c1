import Encodings

/// How a network runs with whole numbers: which layers multiply uint8 activations with int8 weights, and what range the
/// activations have.
///
/// Weights are symmetric, with a step for each filter, after BatchNorm is folded into them. Activations have one step for
/// each tensor: 0...255 from zero on if none is negative, and otherwise as far on both sides of 128. Sums are 32-bit
/// integers. What follows a sum is multiplied and added in single precision, unfused, and rounded to nearest even, so that
/// every set of kernels gives the same bits.
public struct Quantization: Hashable, Sendable {
  /// What enters a layer, as images showed it, after the BatchNorm and ReLU that the layer does as it reads.
  public struct Input: Hashable, Sendable {
    /// What lies outside is clipped.
    public var range: ClosedRange<Float>
    /// The mean of each channel, by which the bias is corrected for the rounding of the weights: Nagel et al.,
    /// "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, equation 17. Empty: no correction.
    public var means: [Float]

    /// - Parameter range: finite.
    public init(range: ClosedRange<Float>, means: [Float] = []) {
      self.range = range
      self.means = means
    }
  }

  /// For each convolution and fully connected layer that is quantized, by the name of its node. The others stay in
  /// bfloat16 and single precision.
  public var inputs: [String: Input]

  public init(inputs: [String: Input]) { self.inputs = inputs }
}

/// The file `quantization.json` of a model's folder:
/// `{"layers":[{"means":[...],"name":"conv0","range":[0,2.5]},...],"version":1}`.
extension Quantization {
  /// The name of the file.
  public static let fileName = "quantization.json"
  private static let version = 1

  private struct File: Codable {
    let version: Int
    let layers: [Layer]
  }

  private struct Layer: Codable {
    let name: String
    let range: [Float]
    let means: [Float]
  }

  /// Reads the file.
  ///
  /// - Parameters:
  ///   - json: the whole file.
  ///   - graph: the network that it belongs to.
  ///   - label: the file's name in messages.
  /// - Throws: where it is not such a file, or a layer that it names is not in the network, has no weights, is there
  ///   twice, or has a range that is none.
  public init(json: [UInt8], for graph: Graph, label: String) throws(ModelError) {
    let file: File
    do throws(JSONError) { file = try JSON.decode(File.self, from: json) } catch {
      throw ModelError("\(label): \(error)")
    }
    guard file.version == Self.version else {
      throw ModelError(
        "\(label): its version is \(file.version); \(Self.version) is expected. Quantize the model anew")
    }
    inputs = [:]
    for layer in file.layers {
      let place = "\(label): layer \(shown(layer.name))"
      guard layer.range.count == 2, layer.range[0] <= layer.range[1] else {
        throw ModelError("\(place): the range has to be [smallest, largest]")
      }
      guard
        inputs.updateValue(
          Input(range: layer.range[0]...layer.range[1], means: layer.means), forKey: layer.name) == nil
      else { throw ModelError("\(place) is there twice") }
    }
    do { try check(graph) } catch { throw ModelError("\(label): \(error)") }
  }

  /// Checks that the layers are in a network, and that their means are as many as their channels.
  ///
  /// - Throws: a `ModelError` that names the layer.
  public func check(_ graph: Graph) throws(ModelError) {
    var channels: [String: Int] = [:]
    for node in graph.nodes {
      switch node.operation {
      case .convolution, .dense: channels[node.name] = graph.nodes[node.inputs[0]].shape[0]
      case .input, .batchNorm, .relu, .pooling, .add, .flatten, .softmax, .sigmoid: break
      }
    }
    for (name, input) in inputs.sorted(by: { $0.key < $1.key }) {
      guard let count = channels[name] else {
        throw ModelError("the network has no convolution or fully connected layer \(shown(name))")
      }
      guard input.means.isEmpty || input.means.count == count else {
        throw ModelError("layer \(shown(name)) has \(input.means.count) means; \(count) are expected")
      }
      let largest = max(input.range.upperBound, -input.range.lowerBound)
      guard largest == 0 || (1e-30...1e30).contains(largest), input.means.allSatisfy(\.isFinite) else {
        throw ModelError(
          "layer \(shown(name)) has the range \(input.range.lowerBound) to \(input.range.upperBound); numbers of a size "
            + "from 1e-30 to 1e30, or 0 alone, are expected")
      }
    }
  }

  /// The file's text: the layers in the order of the network.
  public func text(for graph: Graph) throws -> String {
    let layers = graph.nodes.compactMap { node in
      inputs[node.name].map {
        Layer(name: node.name, range: [$0.range.lowerBound, $0.range.upperBound], means: $0.means)
      }
    }
    return try JSON.text(File(version: Self.version, layers: layers), style: .line)
  }
}
