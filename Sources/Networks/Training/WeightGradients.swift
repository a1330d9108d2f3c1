internal import CNetworks
import Models

/// The gradient of a convolution's weights, summed over some images.
protocol WeightGradient: Sendable {
  /// Floats of scratch memory that a part needs, for `images` at once.
  func scratchSize(images: Int) -> Int
  /// Images to take at once, so that the sums are not read again for each image.
  var imagesAtOnce: Int { get }
  /// Floats of sums, of which the first ones are the gradient when all images are added.
  var sumSize: Int { get }
  /// Adds some images to the sums, which begin with the part's first images and are the gradient after its last ones.
  ///
  /// - Parameters:
  ///   - input: the value that the convolution reads.
  ///   - gradient: the gradient of its output.
  func add(_ part: TrainingPart, input: Int, gradient: Int)
}

/// Direct sums over positions of input times gradient, tap by tap.
struct DirectWeightGradient: WeightGradient {
  private let slabs: Slabs
  private let to: Value
  private let set: NetworkKernels

  init(_ convolution: Convolution, _ from: Value, _ to: Value, _ prologue: Prologue, _ set: NetworkKernels)
    throws(OutOfMemory)
  {
    slabs = try Slabs(convolution, from, to, prologue, set)
    self.to = to
    self.set = set
  }

  func scratchSize(images: Int) -> Int { min(images, imagesAtOnce) * slabs.scratchSize }
  var imagesAtOnce: Int { slabs.imagesAtOnce }
  var sumSize: Int { slabs.taps.count * slabs.run * to.paddedChannels }

  func add(_ part: TrainingPart, input: Int, gradient: Int) {
    for first in stride(from: part.images.lowerBound, to: part.images.upperBound, by: imagesAtOnce) {
      let images = first..<min(first + imagesAtOnce, part.images.upperBound)
      for row in stride(from: 0, to: to.height, by: slabs.rows) {
        add(
          images, rows: row..<min(row + slabs.rows, to.height), part, input: input, gradient: gradient)
      }
    }
  }

  private func add(
    _ images: Range<Int>, rows: Range<Int>, _ part: TrainingPart, input: Int, gradient: Int
  ) {
    let block = slabs.taps.count * slabs.run * to.lanes
    let source = unsafe slabs.source(rows, of: images, input, part.execution, part.scratch)
      .assumingMemoryBound(to: Float.self)
    let dy = unsafe part.execution.read(gradient, image: images.lowerBound) + rows.lowerBound * to.rowSize
    let begins = images.lowerBound == part.all.lowerBound && rows.lowerBound == 0
    for (index, tap) in slabs.taps.enumerated() {
      var outer = unsafe net_outer(
        x: source + tap, x_step: slabs.step, x_row: slabs.rowStep,
        x_image: slabs.imageStep(input, part.execution), dy: dy, dy_row: to.rowSize,
        dy_image: part.execution.memory.stride(of: gradient), dy_block: to.blockSize,
        images: images.count, rows: rows.count, columns: to.width, run: slabs.run, blocks: to.blocks,
        sums: part.sums + index * slabs.run * to.lanes, sums_block: block, begins: begins ? 1 : 0)
      unsafe set.training.outer(&outer)
    }
  }
}

/// The transpose of Winograd's F(4x4, 3x3). The tiles of the input and those of the gradient are transformed,
/// multiplied and summed number by number, and the sums are transformed back: a quarter of the multiplications of the
/// direct sums.
struct WinogradWeightGradient: WeightGradient {
  private let from: Value, to: Value
  private let padding: Int
  private let prologue: Prologue
  private let set: NetworkKernels
  private let tilesAcross: Int, tilesDown: Int

  init(_ convolution: Convolution, _ from: Value, _ to: Value, _ prologue: Prologue, _ set: NetworkKernels) {
    self.from = from
    self.to = to
    padding = convolution.padding.rows
    self.prologue = prologue
    self.set = set
    tilesAcross = (to.width + 3) / 4
    tilesDown = (to.height + 3) / 4
  }

  private var tilesOfImage: Int { tilesAcross * tilesDown }
  /// So many blocks of filters and as many of channels are summed together: their 36 planes stay in a core's cache.
  private static let groupBlocks = 4

  /// Floats of a block of channels times a block of filters.
  private var pairSize: Int { from.lanes * to.lanes }

  private func planes(tiles: Int) -> TilePlanes {
    TilePlanes(inputs: from.blocks, outputs: to.blocks, tiles: tiles, lanes: from.lanes)
  }

  var imagesAtOnce: Int { (Tuning.gradientTiles + tilesOfImage - 1) / tilesOfImage }
  func scratchSize(images: Int) -> Int {
    planes(tiles: min(Tuning.gradientTiles, images * tilesOfImage)).size
  }
  /// The gradient, then the sums of the 36 planes.
  var sumSize: Int { (9 + 36) * pairSize * from.blocks * to.blocks }

  func add(_ part: TrainingPart, input: Int, gradient: Int) {
    let tiles = part.images.count * tilesOfImage
    // As few rounds as possible, each of about as many tiles.
    let count = (tiles + Tuning.gradientTiles - 1) / Tuning.gradientTiles
    let most = (tiles + count - 1) / count
    let planes = self.planes(tiles: most)
    let ins = unsafe part.scratch
    let outs = unsafe ins + 36 * planes.inPlane
    let sums = unsafe part.sums + 9 * pairSize * from.blocks * to.blocks
    var first = 0
    while first < tiles {
      let range = first..<min(first + most, tiles)
      unsafe transform(range, part, input, gradient, ins, outs, planes)
      unsafe multiply(
        range.count, ins, outs, planes, sums, begins: first == 0 && part.isFirst,
        gradient: range.upperBound == tiles && part.isLast ? part.sums : nil)
      first = range.upperBound
    }
  }

  private func transform(
    _ range: Range<Int>, _ part: TrainingPart, _ input: Int, _ gradient: Int,
    _ ins: UnsafeMutablePointer<Float>, _ outs: UnsafeMutablePointer<Float>, _ planes: TilePlanes
  ) {
    var tile = range.lowerBound
    while tile < range.upperBound {
      let first = tile % tilesOfImage
      let count = min(tilesOfImage - first, range.upperBound - tile)
      let image = part.images.lowerBound + tile / tilesOfImage
      let at = (tile - range.lowerBound) * from.lanes
      var described = net_tiles(
        first: first, count: count, tiles_across: tilesAcross, plane: planes.inPlane, block: planes.block,
        blocks: from.blocks, height: from.height, width: from.width, image_type: Int32(net_float32),
        image_block: from.blockSize,
        padding: Int32(padding))
      unsafe prologue.withBlocks(from: 0) { prologue in
        unsafe set.table.winograd_input(
          ins + at, part.execution.read(input, image: image), &described, &prologue)
      }
      described.plane = planes.outPlane
      described.blocks = to.blocks
      described.height = to.height
      described.width = to.width
      described.image_block = to.blockSize
      unsafe set.training.winograd_gradient(
        outs + at, part.execution.read(gradient, image: image), &described)
      tile += count
    }
  }

  /// Multiplies some blocks of filters with some blocks of channels, plane by plane: their sums stay in the cache, and
  /// so do the operands of one plane while each is multiplied with all others.
  private func multiply(
    _ tiles: Int, _ ins: UnsafeMutablePointer<Float>, _ outs: UnsafeMutablePointer<Float>,
    _ planes: TilePlanes,
    _ sums: UnsafeMutablePointer<Float>, begins: Bool, gradient: UnsafeMutablePointer<Float>?
  ) {
    var at = unsafe sums
    for group in stride(from: 0, to: to.blocks, by: Self.groupBlocks) {
      let blocks = min(Self.groupBlocks, to.blocks - group)
      for firstChannel in stride(from: 0, to: from.blocks, by: Self.groupBlocks) {
        let channels = firstChannel..<min(firstChannel + Self.groupBlocks, from.blocks)
        let planeSize = channels.count * blocks * pairSize
        for plane in 0..<36 {
          for channel in channels {
            var outer = unsafe net_outer(
              x: ins + plane * planes.inPlane + channel * planes.block, x_step: from.lanes, x_row: 0,
              x_image: 0,
              dy: outs + plane * planes.outPlane + group * planes.block, dy_row: 0, dy_image: 0,
              dy_block: planes.block, images: 1, rows: 1, columns: tiles, run: from.lanes,
              blocks: blocks, sums: at + plane * planeSize + (channel - firstChannel) * blocks * pairSize,
              sums_block: pairSize,
              begins: begins ? 1 : 0)
            unsafe set.training.outer(&outer)
          }
        }
        if let gradient = unsafe gradient {
          for channel in channels {
            for block in 0..<blocks {
              unsafe set.training.winograd_weight_gradient(
                gradient + ((group + block) * from.blocks + channel) * 9 * pairSize,
                at + ((channel - firstChannel) * blocks + block) * pairSize, planeSize, 1)
            }
          }
        }
        // Sums that were transformed leave their memory, which is in the cache, to the next ones.
        if unsafe !begins || gradient == nil { unsafe at += 36 * planeSize }
      }
    }
  }
}
