internal import CNetworks

/// How the numbers of a value are stored, or those of a convolution's sums are given.
enum NumberType: Hashable, Sendable {
  case float32
  /// The upper half of a float: its exponent, and 8 bits of its fraction.
  case bfloat16
  /// Whole numbers of 0...255 that stand for `(number - zero) * step`. Weights that multiply them are int8.
  case uint8(step: Float, zero: UInt8)

  /// Bytes of one number.
  var byteCount: Int {
    switch self {
    case .float32: MemoryLayout<Float>.stride
    case .bfloat16: MemoryLayout<UInt16>.stride
    case .uint8: MemoryLayout<UInt8>.stride
    }
  }
  /// Numbers of a word of four bytes, in which the kernels read them.
  var perWord: Int { MemoryLayout<Float>.stride / byteCount }
  /// The kernels' name for it.
  var kernelType: Int32 {
    switch self {
    case .float32: Int32(net_float32)
    case .bfloat16: Int32(net_bfloat16)
    case .uint8: Int32(net_uint8)
    }
  }
  var isQuantized: Bool { if case .uint8 = self { true } else { false } }
  /// What one step of a stored number is worth, and which stored number stands for 0.
  var step: Float { if case .uint8(let step, _) = self { step } else { 1 } }
  var zero: UInt8 { if case .uint8(_, let zero) = self { zero } else { 0 } }
}

/// What lies between two layers, for one image: an activation or, in training, a gradient.
struct Value: Hashable, Sendable {
  /// A vector, such as a fully connected layer reads and writes, has height and width 1.
  let channels: Int, height: Int, width: Int
  /// Channels of a block, as the kernels have it.
  let lanes: Int
  /// Whether it is stored as planes (NCHW, the input of the network) and not in blocks of channels.
  let isPlanar: Bool
  let type: NumberType
  /// Blocks of `lanes` channels, of which the last one is filled up with zeros.
  let blocks: Int

  /// The same value, stored as numbers of another type.
  func stored(as type: NumberType) -> Value {
    Value(shape: [channels, height, width], lanes: lanes, isPlanar: isPlanar, type: type)
  }

  /// - Parameter shape: channels, height, width; or the length of a vector.
  init(shape: [Int], lanes: Int, isPlanar: Bool = false, type: NumberType = .float32) {
    channels = shape[0]
    height = shape.count == 3 ? shape[1] : 1
    width = shape.count == 3 ? shape[2] : 1
    self.lanes = lanes
    self.isPlanar = isPlanar
    self.type = type
    blocks = (channels + lanes - 1) / lanes
  }

  /// The channels, with those that fill up the last block.
  var paddedChannels: Int { blocks * lanes }
  var positions: Int { height * width }
  /// Numbers of a block, and of one row of a block.
  var blockSize: Int { positions * lanes }
  var rowSize: Int { width * lanes }
  /// Numbers that are stored.
  var size: Int { isPlanar ? channels * positions : blocks * blockSize }
  var byteCount: Int { size * type.byteCount }
}

/// Where every value lies in one arena: values overlap only if their lifetimes do not.
struct MemoryPlan: Sendable {
  let values: [Value]
  /// Bytes of the whole arena.
  let byteCount: Int
  /// In bytes, multiples of `alignment`.
  private let offsets: [Int]
  /// Bytes from one image's value to the next one's, multiples of `alignment`; 0 if images take turns in one place.
  private let strides: [Int]

  /// Every value of every image begins at a cache line.
  static let alignment = 64

  /// Bytes from the start of the arena to a value of an image.
  func offset(of value: Int, image: Int) -> Int { offsets[value] + image * strides[value] }

  /// Numbers, of the value's own type, from one image's value to the next one's; 0 if images take turns in one place.
  func stride(of value: Int) -> Int { strides[value] / values[value].type.byteCount }

  /// A plan for inference.
  ///
  /// - Parameters:
  ///   - images: how many are in the arena at once.
  ///   - perImageLayers: so many layers, the first ones, are run image by image, the others each for all images.
  init(_ network: FusedNetwork, images: Int, perImageLayers: Int) {
    let (layers, values) = (network.layers, network.values)
    self.values = values
    var born = [Int](repeating: 0, count: values.count)
    var dies = [Int](repeating: 0, count: values.count)
    for (step, layer) in layers.enumerated() {
      born[layer.output] = step
      dies[layer.output] = step
      dies[layer.input] = step
      if let residual = layer.residual { dies[residual] = step }
    }
    dies[network.output] = layers.count
    var strides = values.indices.map {
      born[$0] >= perImageLayers || dies[$0] >= perImageLayers ? Self.rounded(values[$0].byteCount) : 0
    }
    // The values of all images are there until the last image has passed the layers that are run image by image.
    for value in values.indices where strides[value] > 0 && born[value] < perImageLayers { born[value] = 0 }

    // A layer may write its sum over the shortcut if nothing needs the shortcut afterwards.
    var overwritten = [Int?](repeating: nil, count: values.count)
    let byteCounts = values.indices.map {
      strides[$0] > 0 ? strides[$0] * images : Self.rounded(values[$0].byteCount)
    }
    for (step, layer) in layers.enumerated() {
      guard let residual = layer.residual, residual != 0, dies[residual] == step, residual != layer.input,
        byteCounts[residual] == byteCounts[layer.output],
        (strides[residual] > 0) == (strides[layer.output] > 0)
      else { continue }
      overwritten[layer.output] = residual
    }
    (offsets, byteCount) = Self.place(
      layers.map(\.output), byteCounts, lifetimes: values.indices.map { born[$0]...dies[$0] },
      overwritten: overwritten)
    strides[0] = 0
    self.strides = strides
  }

  /// A plan for training: all images have every value at the same time.
  ///
  /// - Parameter lifetimes: for each value, the first and the last step that need it; nil: it is not in the arena.
  init(_ values: [Value], lifetimes: [ClosedRange<Int>?], images: Int) {
    self.values = values
    strides = values.map { Self.rounded($0.byteCount) }
    let placed = values.indices.filter { lifetimes[$0] != nil }.sorted {
      (lifetimes[$0]?.lowerBound ?? 0, $0) < (lifetimes[$1]?.lowerBound ?? 0, $1)
    }
    (offsets, byteCount) = Self.place(
      placed, strides.map { $0 * images }, lifetimes: lifetimes.map { $0 ?? 0...0 }, overwritten: [])
  }

  /// Places one value after the other as low as its whole lifetime allows.
  ///
  /// - Parameter overwritten: for a value that is written over another one, that other one.
  private static func place(
    _ order: [Int], _ byteCounts: [Int], lifetimes: [ClosedRange<Int>], overwritten: [Int?]
  ) -> (offsets: [Int], byteCount: Int) {
    var offsets = [Int](repeating: 0, count: byteCounts.count)
    var placed: [(value: Int, range: Range<Int>)] = []
    for value in order {
      if value < overwritten.count, let other = overwritten[value] {
        offsets[value] = offsets[other]
      } else {
        let busy = placed.filter { lifetimes[$0.value].overlaps(lifetimes[value]) }
          .map(\.range).sorted { $0.lowerBound < $1.lowerBound }
        var at = 0
        for range in busy where range.lowerBound < at + byteCounts[value] { at = max(at, range.upperBound) }
        offsets[value] = at
      }
      placed.append((value, offsets[value]..<offsets[value] + byteCounts[value]))
    }
    return (offsets, placed.map(\.range.upperBound).max() ?? 0)
  }

  /// Up to whole cache lines, and one more: values of a power of two would share the sets of the cache.
  private static func rounded(_ byteCount: Int) -> Int {
    (byteCount + alignment - 1) / alignment * alignment + alignment
  }
}
