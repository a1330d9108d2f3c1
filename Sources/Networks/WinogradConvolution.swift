internal import CNetworks
import Models

/// A 3x3 convolution of stride 1 by Winograd's F(4x4, 3x3): a quarter of the multiplications of the direct sum, at the
/// cost of transforming the input and the output. Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks",
/// 2015.
struct WinogradConvolution: Layer {
  private let ends: ConvolutionEnds
  private let set: NetworkKernels
  private let padding: Int
  private let weights: FloatBuffer
  /// A number for each filter, in whole blocks.
  private let bias: FloatBuffer
  private let prologue: Prologue
  private let tilesAcross: Int, tilesDown: Int
  /// The most tiles that are transformed at once: their planes stay in the cache.
  private let most: Int

  /// Whether the transform applies to this convolution.
  static func suits(_ convolution: Convolution, _ from: Value) -> Bool {
    convolution.kernel == Extent(rows: 3, columns: 3) && convolution.stride == Extent(rows: 1, columns: 1)
      && convolution.padding.rows == convolution.padding.columns && convolution.padding.rows <= 1
      && !from.isPlanar
  }

  /// Floats of the transformed weights.
  static func weightCount(_ from: Value, _ to: Value) -> Int {
    PackedWeights.transformedSize(inputs: from.blocks, outputs: to.blocks, lanes: from.lanes)
  }

  /// - Throws: a `ModelError` if the weights cannot be read; `OutOfMemory`.
  init(
    _ layer: FusedLayer, _ convolution: Convolution, scale filterScale: [Float], bias: [Float],
    values: [Value], _ parameters: Parameters, _ set: NetworkKernels
  ) throws {
    let ends = ConvolutionEnds(layer, values)
    let weights = try PackedWeights(
      parameters.values(of: convolution.weight), scale: filterScale,
      WeightLayout(convolution, from: ends.from), .winograd, set)
    try self.init(
      convolution, ends, weights: weights.buffer, bias: FloatBuffer(bias, count: ends.to.paddedChannels),
      Prologue(layer.prologue, ends.from), set)
  }

  /// - Parameter weights: packed in Winograd's order; they may change between runs.
  /// - Throws: `OutOfMemory`.
  init(
    _ convolution: Convolution, _ ends: ConvolutionEnds, weights: FloatBuffer, bias: FloatBuffer?,
    _ prologue: Prologue, _ set: NetworkKernels
  ) throws(OutOfMemory) {
    let (from, to) = (ends.from, ends.to)
    self.ends = ends
    self.weights = weights
    if let bias { self.bias = bias } else { self.bias = try FloatBuffer(count: to.paddedChannels) }
    self.prologue = prologue
    self.set = set
    padding = convolution.padding.rows
    tilesAcross = (to.width + 3) / 4
    tilesDown = (to.height + 3) / 4
    most = Tuning.tiles(channels: max(from.paddedChannels, to.paddedChannels))
  }

  private var from: Value { ends.from }
  private var to: Value { ends.to }
  private var tilesOfImage: Int { tilesAcross * tilesDown }

  /// Whether the workers divide the planes of weights among them: weights that do not stay in a core's cache are better
  /// read once by all.
  private var sharesPlanes: Bool { weights.count * 4 > Tuning.sharedWeightBytes }

  func scratchSize(images: Int) -> Int { planes(tiles: min(most, images * tilesOfImage)).size }
  var imagesAtOnce: Int { (most + tilesOfImage - 1) / tilesOfImage }
  var sharedScratchSize: Int { sharesPlanes ? planes(tiles: tilesOfImage).size : 0 }

  private func planes(tiles: Int) -> TilePlanes {
    TilePlanes(inputs: from.blocks, outputs: to.blocks, tiles: tiles, lanes: from.lanes)
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
      let planes = self.planes(tiles: range.count)
      let outs = unsafe scratch + 36 * planes.inPlane
      forEachImage(range, images) { image, inner, at in
        unsafe transformIn(image, inner, scratch + at * from.lanes, planes, 0..<from.blocks, execution)
      }
      for plane in 0..<36 { unsafe multiply(plane, scratch, outs, planes, tiles: range.count) }
      forEachImage(range, images) { image, inner, at in
        unsafe transformOut(image, inner, outs + at * to.lanes, planes, 0..<to.blocks, execution)
      }
    }
  }

  /// All workers work on all tiles: first the blocks of channels, then the planes, then the blocks of filters are
  /// divided among them.
  private func runTogether(_ images: Range<Int>, _ execution: Execution) {
    let planes = self.planes(tiles: tilesOfImage)
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

  /// Calls `body` for each image that has tiles in `range`, which counts through the tiles of all images.
  ///
  /// - Parameter body: gets the image, its tiles, and the place of the first of them in the range.
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
    _ image: Int, _ tiles: Range<Int>, _ out: UnsafeMutablePointer<Float>, _ planes: TilePlanes,
    _ blocks: Range<Int>,
    _ execution: Execution
  ) {
    var described = net_tiles(
      first: tiles.lowerBound, count: tiles.count, tiles_across: tilesAcross, plane: planes.inPlane,
      block: planes.block, blocks: blocks.count, height: from.height, width: from.width,
      image_type: from.type.kernelType, image_block: from.blockSize, padding: Int32(padding))
    let source = unsafe execution.source(ends.input, image: image, at: blocks.lowerBound * from.blockSize)
    unsafe prologue.withBlocks(from: blocks.lowerBound) { prologue in
      unsafe set.table.winograd_input(
        out + blocks.lowerBound * planes.block, source, &described, &prologue)
    }
  }

  private func multiply(
    _ plane: Int, _ ins: UnsafeMutablePointer<Float>, _ outs: UnsafeMutablePointer<Float>,
    _ planes: TilePlanes,
    tiles: Int
  ) {
    unsafe withUnsafeTemporaryAllocation(of: Int.self, capacity: from.blocks) { taps in
      for block in 0..<from.blocks { unsafe taps[block] = block * planes.block }
      guard let taps = taps.baseAddress else { return }
      let stride = PackedWeights.planeStride(inputs: from.blocks, outputs: to.blocks, lanes: from.lanes)
      var product = unsafe net_product(
        x: ins + plane * planes.inPlane, x_step: from.lanes, x_row: 0, taps: taps, tap_count: from.blocks,
        run: from.lanes, weights: weights.start + plane * stride,
        next: weights.start + (plane + 1) % 36 * stride, bias: nil, residual: nil,
        residual_type: Int32(net_float32), scales: nil, residual_scale: 1, y: outs + plane * planes.outPlane,
        y_type: Int32(net_float32),
        y_row: 0, y_block: planes.block, rows: 1, columns: tiles,
        blocks: to.blocks, relu: 0)
      unsafe set.table.product(&product)
    }
  }

  private func transformOut(
    _ image: Int, _ tiles: Range<Int>, _ products: UnsafeMutablePointer<Float>, _ planes: TilePlanes,
    _ blocks: Range<Int>, _ execution: Execution
  ) {
    var described = net_tiles(
      first: tiles.lowerBound, count: tiles.count, tiles_across: tilesAcross, plane: planes.outPlane,
      block: planes.block, blocks: blocks.count, height: to.height, width: to.width,
      image_type: to.type.kernelType, image_block: to.blockSize, padding: 0)
    let start = blocks.lowerBound * to.blockSize
    unsafe set.table.winograd_output(
      execution.target(ends.output, image: image, at: start), products + blocks.lowerBound * planes.block,
      &described, bias.start + blocks.lowerBound * to.lanes,
      ends.residual.map { unsafe execution.source($0, image: image, at: start) },
      execution.type(of: ends.residual), ends.relu ? 1 : 0)
  }
}

/// How the 36 numbers of some transformed tiles lie in scratch memory, those of the input and those of the output:
/// number, block of channels, tile, channel.
///
/// Distances are odd numbers of cache lines: those of a power of two would all fall into the same few sets of a cache.
struct TilePlanes {
  /// Floats from one block of channels to the next.
  let block: Int
  /// Floats from one of the 36 planes to the next, of the input and of the output.
  let inPlane: Int, outPlane: Int

  init(inputs: Int, outputs: Int, tiles: Int, lanes: Int) {
    block = (tiles | 1) * lanes
    inPlane = (inputs * (tiles | 1) | 1) * lanes
    outPlane = (outputs * (tiles | 1) | 1) * lanes
  }

  /// Floats of all planes.
  var size: Int { 36 * (inPlane + outPlane) }
}
