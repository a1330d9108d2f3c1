import Models
public import Networks

/// What the classifier asks of a network: so that what is built on it can be tried with one of a few lines.
public protocol ImageNetwork: Sendable {
  /// Channels, height, width of one image.
  var inputShape: [Int] { get }
  /// Numbers for one image.
  var outputCount: Int { get }
  /// Whether the numbers are probabilities already: the network ends in a softmax or a sigmoid.
  var givesProbabilities: Bool { get }

  /// - Parameters:
  ///   - images: `count` tensors of `inputShape`, one after the other.
  ///   - outputs: `count * outputCount` numbers, an image after the other.
  func run(_ images: Span<Float>, count: Int, into outputs: inout MutableSpan<Float>)
}

extension Network: ImageNetwork {
  public var givesProbabilities: Bool {
    switch graph.nodes[graph.output].operation {
    case .softmax, .sigmoid: true
    default: false
    }
  }
}
