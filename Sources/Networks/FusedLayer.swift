import Models

/// One step of a plan: several nodes of a graph that are computed in one pass.
struct FusedLayer: Sendable {
  enum Kind: Sendable {
    /// Each filter's weights are multiplied by its `scale`; then its `bias` is added.
    case convolution(Convolution, scale: [Float], bias: [Float])
    case pooling(Pooling)
    /// Only what `prologue` says.
    case affine
    /// The sum of the input and `residual`.
    case add
    /// From blocks of channels to one row: channels, rows, columns.
    case flatten
    case dense(Dense, bias: [Float])
    case softmax
    case sigmoid
  }
  /// The node that names it: the first one.
  let name: String
  let kind: Kind
  /// Indices of values.
  let input: Int, output: Int
  /// What is done to the input on the way in.
  let prologue: Affine?
  /// A value that is added to the output.
  let residual: Int?
  /// Whether the larger of the output and 0 is taken.
  let relu: Bool
}

/// What a convolution reads and writes, and what it does on the way out.
struct ConvolutionEnds: Sendable {
  /// Indices of values, and what they are.
  let input: Int, output: Int
  let from: Value, to: Value
  /// A value that is added to the output; it may be the output itself.
  let residual: Int?
  /// Whether the larger of the output and 0 is taken.
  var relu = false

  init(from: (index: Int, Value), to: (index: Int, Value), residual: Int?) {
    (input, self.from) = from
    (output, self.to) = to
    self.residual = residual
  }

  init(_ layer: FusedLayer, _ values: [Value]) {
    self.init(
      from: (layer.input, values[layer.input]), to: (layer.output, values[layer.output]),
      residual: layer.residual)
    relu = layer.relu
  }
}

/// What is computed between two layers, for one image.
struct Value: Hashable, Sendable {
  /// Channels, height, width; a row of numbers has height and width 1.
  let channels: Int, height: Int, width: Int
  /// Whether it is stored as planes (the input of the network) and not in blocks of channels.
  var isPlanar = false

  init(shape: [Int], isPlanar: Bool = false) {
    channels = shape[0]
    height = shape.count == 3 ? shape[1] : 1
    width = shape.count == 3 ? shape[2] : 1
    self.isPlanar = isPlanar
  }

  var blocks: Int { (channels + 15) / 16 }
  var positions: Int { height * width }
  /// Floats it takes.
  var size: Int { isPlanar ? channels * positions : blocks * 16 * positions }
}

/// A graph that the fast engine has no way for; the reference engine has.
struct Unplannable: Error {
  let node: String
}
