/// Where every value lies in one arena: values whose lifetimes overlap do not.
struct MemoryPlan: Sendable {
  let values: [Value]
  /// Floats of the whole arena.
  let size: Int
  private let offsets: [Int]
  /// Floats from one image's value to the next one's; 0 where images take turns in one place.
  private let strides: [Int]

  func offset(of value: Int, image: Int) -> Int { offsets[value] + image * strides[value] }

  /// Floats from one image's value to the next one's.
  func stride(of value: Int) -> Int { strides[value] }

  /// - Parameters:
  ///   - images: how many are in the arena at once.
  ///   - alone: the first so many layers are run image by image, the others each for all images.
  init(_ network: FusedNetwork, images: Int, alone: Int) {
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
      born[$0] >= alone || dies[$0] >= alone ? Self.rounded(values[$0].size) : 0
    }
    // All images' values are there until the last image has passed the first layers.
    for value in values.indices where strides[value] > 0 && born[value] < alone { born[value] = 0 }

    var offsets = [Int](repeating: 0, count: values.count)
    var placed: [(value: Int, range: Range<Int>)] = []
    func room(_ value: Int) -> Int {
      strides[value] > 0 ? strides[value] * images : Self.rounded(values[value].size)
    }
    // A layer may write its sum over the shortcut where that is not needed afterwards.
    var twin = [Int?](repeating: nil, count: values.count)
    for (step, layer) in layers.enumerated() {
      guard let residual = layer.residual, residual != 0, dies[residual] == step, residual != layer.input,
        room(residual) == room(layer.output), (strides[residual] > 0) == (strides[layer.output] > 0)
      else { continue }
      twin[layer.output] = residual
    }
    for layer in layers {
      let value = layer.output
      if let residual = twin[value] {
        offsets[value] = offsets[residual]
      } else {
        let busy = placed.filter { born[$0.value] <= dies[value] && dies[$0.value] >= born[value] }
          .map(\.range).sorted { $0.lowerBound < $1.lowerBound }
        var at = 0
        for range in busy where range.lowerBound < at + room(value) { at = max(at, range.upperBound) }
        offsets[value] = at
      }
      placed.append((value, offsets[value]..<offsets[value] + room(value)))
    }
    strides[0] = 0
    self.offsets = offsets
    self.strides = strides
    size = placed.map(\.range.upperBound).max() ?? 0
  }

  /// Up to whole cache lines, and one more: values of a power of two would share the sets of the cache.
  private static func rounded(_ size: Int) -> Int { (size + 15) / 16 * 16 + 16 }
}
