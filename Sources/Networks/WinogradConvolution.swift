internal import CNetworks
import Models

/// A 3x3 convolution of stride 1 by Winograd's F(4x4, 3x3): a quarter of the multiplications of the direct sum, for
/// transforms on the way in and out. Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", 2015.
struct WinogradConvolution: Layer {
  private let ends: ConvolutionEnds
  private let set: KernelSet
  private let margin: Int
  private let weights: FloatBuffer
  /// Whole blocks.
  private let bias: FloatBuffer
  private let prologue: Prologue
  private let tilesAcross: Int, tilesDown: Int
  /// Tiles that are transformed at once: their planes stay in the cache.
  private let most: Int

  static func suits(_ convolution: Convolution, _ from: Value) -> Bool {
    convolution.kernel == Extent(rows: 3, columns: 3) && convolution.stride == Extent(rows: 1, columns: 1)
      && convolution.padding.rows == convolution.padding.columns && convolution.padding.rows <= 1
      && !from.isPlanar
  }

  /// Floats of the transformed weights.
  static func weightCount(_ from: Value, _ to: Value) -> Int { 36 * plane(from, to) }

  /// Floats from one of the 36 planes of transformed weights to the next.
  static func plane(_ from: Value, _ to: Value) -> Int { from.blocks * to.blocks * 256 + 16 }

  init(
    _ layer: FusedLayer, _ convolution: Convolution, scale filterScale: [Float], bias: [Float],
    values: [Value], _ parameters: Parameters, _ set: KernelSet
  ) throws {
    let ends = ConvolutionEnds(layer, values)
    let (from, to) = (ends.from, ends.to)
    let transformed = try FloatBuffer(count: Self.weightCount(from, to))
    let raw = try parameters.values(of: convolution.weight)
    unsafe raw.withUnsafeBufferPointer { raw in
      unsafe filterScale.withUnsafeBufferPointer { filterScale in
        guard let raw = raw.baseAddress, let filterScale = filterScale.baseAddress else { return }
        for first in stride(from: 0, to: to.blocks, by: set.group) {
          let count = min(set.group, to.blocks - first)
          unsafe set.table.winograd_weights(
            transformed.start + first * 16 * from.blocks * 16, raw + first * 16 * from.channels * 9,
            filterScale + first * 16, min(count * 16, to.channels - first * 16), from.channels,
            from.blocks * 16,
            count, Self.plane(from, to))
        }
      }
    }
    try self.init(
      convolution, ends, weights: transformed, bias: FloatBuffer(bias, blocks: to.blocks),
      Prologue(layer.prologue, blocks: from.blocks), set)
  }

  /// - Parameter weights: 36 planes in the order in which the products read them; they may change between runs.
  init(
    _ convolution: Convolution, _ ends: ConvolutionEnds, weights: FloatBuffer, bias: FloatBuffer?,
    _ prologue: Prologue, _ set: KernelSet
  ) throws(OutOfMemory) {
    let (from, to) = (ends.from, ends.to)
    self.ends = ends
    self.weights = weights
    if let bias { self.bias = bias } else { self.bias = try FloatBuffer(count: to.blocks * 16) }
    self.prologue = prologue
    self.set = set
    margin = convolution.padding.rows
    tilesAcross = (to.width + 3) / 4
    tilesDown = (to.height + 3) / 4
    most = Tuning.tiles(channels: max(from.blocks, to.blocks) * 16)
  }

  private var from: Value { ends.from }
  private var to: Value { ends.to }
  private var tilesOfImage: Int { tilesAcross * tilesDown }

  /// Weights that do not stay in a core's cache are better read once by all.
  private var sharesPlanes: Bool { weights.count * 4 > Tuning.sharedWeightBytes }

  func scratchSize(images: Int) -> Int { Planes(self, tiles: min(most, images * tilesOfImage)).size }
  var imagesAtOnce: Int { (most + tilesOfImage - 1) / tilesOfImage }
  var sharedScratchSize: Int { sharesPlanes ? Planes(self, tiles: tilesOfImage).size : 0 }

  /// How the 36 numbers of some transformed tiles lie in scratch memory: number, block of channels, tile, channel.
  /// Distances are odd numbers of cache lines: those of a power of two would all fall into the same few places of a
  /// cache.
  private struct Planes {
    let block: Int, inPlane: Int, outPlane: Int

    init(_ layer: WinogradConvolution, tiles: Int) {
      block = (tiles | 1) * 16
      inPlane = (layer.from.blocks * (tiles | 1) | 1) * 16
      outPlane = (layer.to.blocks * (tiles | 1) | 1) * 16
    }

    var size: Int { 36 * (inPlane + outPlane) }
  }

  func run(_ images: Range<Int>, _ execution: Execution) {
    let tiles = images.count * tilesOfImage
    if execution.width > 1, sharesPlanes {
      runTogether(images, execution)
      return
    }
    let wanted = execution.width > 1 ? 2 * execution.width : 1
    let parts = max(wanted, (tiles + most - 1) / most)
    unsafe execution.forEach(parts) { part, scratch in
      let range = tiles * part / parts..<tiles * (part + 1) / parts
      guard !range.isEmpty else { return }
      let planes = Planes(self, tiles: range.count)
      let outs = unsafe scratch + 36 * planes.inPlane
      forEachImage(range, images) { image, inner, at in
        unsafe transformIn(image, inner, scratch + at * 16, planes, 0..<from.blocks, execution)
      }
      for plane in 0..<36 { unsafe multiply(plane, scratch, outs, planes, tiles: range.count) }
      forEachImage(range, images) { image, inner, at in
        unsafe transformOut(image, inner, outs + at * 16, planes, 0..<to.blocks, execution)
      }
    }
  }

  /// All workers on all tiles: first blocks of channels, then planes, then blocks of filters are divided among them.
  private func runTogether(_ images: Range<Int>, _ execution: Execution) {
    let planes = Planes(self, tiles: tilesOfImage)
    let shared = unsafe execution.shared.start
    let outs = unsafe shared + 36 * planes.inPlane
    for image in images {
      forEachShare(of: from.blocks, execution) { blocks in
        unsafe transformIn(image, 0..<tilesOfImage, shared, planes, blocks, execution)
      }
      unsafe execution.forEach(36) { plane, _ in
        unsafe multiply(plane, shared, outs, planes, tiles: tilesOfImage)
      }
      forEachShare(of: to.blocks, execution) { blocks in
        unsafe transformOut(image, 0..<tilesOfImage, outs, planes, blocks, execution)
      }
    }
  }

  private func forEachShare(of blocks: Int, _ execution: Execution, _ body: (Range<Int>) -> Void) {
    let parts = min(blocks, execution.width)
    unsafe execution.forEach(parts) { part, _ in body(blocks * part / parts..<blocks * (part + 1) / parts) }
  }

  /// The tiles of `range`, which counts through all images, one image after the other: its own tiles, and where the
  /// first of them stands in the range.
  private func forEachImage(
    _ range: Range<Int>, _ images: Range<Int>, _ body: (_ image: Int, _ tiles: Range<Int>, _ at: Int) -> Void
  ) {
    var tile = range.lowerBound
    while tile < range.upperBound {
      let first = tile % tilesOfImage
      let count = min(tilesOfImage - first, range.upperBound - tile)
      body(images.lowerBound + tile / tilesOfImage, first..<first + count, tile - range.lowerBound)
      tile += count
    }
  }

  // MARK: - The three steps

  private func transformIn(
    _ image: Int, _ tiles: Range<Int>, _ out: UnsafeMutablePointer<Float>, _ planes: Planes,
    _ blocks: Range<Int>,
    _ execution: Execution
  ) {
    var described = net_tiles(
      first: tiles.lowerBound, count: tiles.count, tiles_across: tilesAcross, plane: planes.inPlane,
      block: planes.block, blocks: blocks.count, height: from.height, width: from.width,
      image_block: from.positions * 16, margin: Int32(margin))
    let source = unsafe execution.read(ends.input, image: image) + blocks.lowerBound * from.positions * 16
    unsafe prologue.withBlocks(from: blocks.lowerBound) { prologue in
      unsafe set.table.winograd_input(
        out + blocks.lowerBound * planes.block, source, &described, &prologue)
    }
  }

  private func multiply(
    _ plane: Int, _ ins: UnsafeMutablePointer<Float>, _ outs: UnsafeMutablePointer<Float>, _ planes: Planes,
    tiles: Int
  ) {
    unsafe withUnsafeTemporaryAllocation(of: Int.self, capacity: from.blocks) { taps in
      for block in 0..<from.blocks { unsafe taps[block] = block * planes.block }
      guard let taps = taps.baseAddress else { return }
      var product = unsafe net_product(
        x: ins + plane * planes.inPlane, x_step: 16, x_row: 0, taps: taps, tap_count: from.blocks, run: 16,
        weights: weights.start + plane * Self.plane(from, to),
        next: weights.start + (plane + 1) % 36 * Self.plane(from, to), bias: nil, residual: nil,
        y: outs + plane * planes.outPlane,
        y_row: 0, y_block: planes.block, rows: 1, columns: tiles, blocks: to.blocks, relu: 0)
      unsafe set.table.product(&product)
    }
  }

  private func transformOut(
    _ image: Int, _ tiles: Range<Int>, _ products: UnsafeMutablePointer<Float>, _ planes: Planes,
    _ blocks: Range<Int>, _ execution: Execution
  ) {
    var described = net_tiles(
      first: tiles.lowerBound, count: tiles.count, tiles_across: tilesAcross, plane: planes.outPlane,
      block: planes.block, blocks: blocks.count, height: to.height, width: to.width,
      image_block: to.positions * 16, margin: 0)
    let start = blocks.lowerBound * to.positions * 16
    unsafe set.table.winograd_output(
      execution.write(ends.output, image: image) + start, products + blocks.lowerBound * planes.block,
      &described,
      bias.start + blocks.lowerBound * 16,
      ends.residual.map { unsafe execution.read($0, image: image) + start },
      ends.relu ? 1 : 0)
  }
}
