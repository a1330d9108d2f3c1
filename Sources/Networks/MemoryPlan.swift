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

    // A layer may write its sum over the shortcut where that is not needed afterwards.
    var twin = [Int?](repeating: nil, count: values.count)
    let rooms = values.indices.map { strides[$0] > 0 ? strides[$0] * images : Self.rounded(values[$0].size) }
    for (step, layer) in layers.enumerated() {
      guard let residual = layer.residual, residual != 0, dies[residual] == step, residual != layer.input,
        rooms[residual] == rooms[layer.output], (strides[residual] > 0) == (strides[layer.output] > 0)
      else { continue }
      twin[layer.output] = residual
    }
    (offsets, size) = Self.place(
      layers.map(\.output), rooms, lifetimes: values.indices.map { born[$0]...dies[$0] }, twins: twin)
    strides[0] = 0
    self.strides = strides
  }

  /// All images have every value at the same time.
  ///
  /// - Parameter lifetimes: from the first to the last step that needs a value; nil: it is not in the arena.
  init(_ values: [Value], lifetimes: [ClosedRange<Int>?], images: Int) {
    self.values = values
    strides = values.map { Self.rounded($0.size) }
    let placed = values.indices.filter { lifetimes[$0] != nil }.sorted {
      (lifetimes[$0]?.lowerBound ?? 0, $0) < (lifetimes[$1]?.lowerBound ?? 0, $1)
    }
    (offsets, size) = Self.place(
      placed, strides.map { $0 * images }, lifetimes: lifetimes.map { $0 ?? 0...0 }, twins: [])
  }

  /// One value after the other at the lowest place that is free all its life; a twin where its other is.
  private static func place(
    _ order: [Int], _ rooms: [Int], lifetimes: [ClosedRange<Int>], twins: [Int?]
  ) -> (offsets: [Int], size: Int) {
    var offsets = [Int](repeating: 0, count: rooms.count)
    var placed: [(value: Int, range: Range<Int>)] = []
    for value in order {
      if value < twins.count, let other = twins[value] {
        offsets[value] = offsets[other]
      } else {
        let busy = placed.filter { lifetimes[$0.value].overlaps(lifetimes[value]) }
          .map(\.range).sorted { $0.lowerBound < $1.lowerBound }
        var at = 0
        for range in busy where range.lowerBound < at + rooms[value] { at = max(at, range.upperBound) }
        offsets[value] = at
      }
      placed.append((value, offsets[value]..<offsets[value] + rooms[value]))
    }
    return (offsets, placed.map(\.range.upperBound).max() ?? 0)
  }

  /// Up to whole cache lines, and one more: values of a power of two would share the sets of the cache.
  private static func rounded(_ size: Int) -> Int { (size + 15) / 16 * 16 + 16 }
}
