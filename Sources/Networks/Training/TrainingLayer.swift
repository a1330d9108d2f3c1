/// One worker's part of a batch: its images, where values and gradients are, and memory of its own.
@safe struct TrainingPart: @unchecked Sendable {  // no two parts have the same images or memory
  var images: Range<Int>
  /// All images of the part, of which `images` may be some; layers take them in order.
  let all: Range<Int>
  /// The part's number, which is that of its scratch memory.
  let index: Int
  let execution: Execution
  /// Where the part's sums of a weight's gradient go, before those of all parts are added.
  let sums: UnsafeMutablePointer<Float>

  var isFirst: Bool { images.lowerBound == all.lowerBound }
  var isLast: Bool { images.upperBound == all.upperBound }

  /// Calls `body` for `count` of the part's images at a time: what one kernel writes is still in the cache when the
  /// next one reads it.
  func forEachChunk(_ count: Int, _ body: (TrainingPart) -> Void) {
    for first in stride(from: all.lowerBound, to: all.upperBound, by: max(1, count)) {
      var chunk = self
      chunk.images = first..<min(first + max(1, count), all.upperBound)
      body(chunk)
    }
  }

  var scratch: UnsafeMutablePointer<Float> { unsafe execution.scratch[index].start }
}

/// A layer forward and backward. Each call has one part of a batch; the parts run at the same time.
protocol TrainingLayer: Sendable {
  /// Floats of scratch memory that a part of so many images needs.
  func scratchSize(images: Int) -> Int
  /// Where the gradient of its weights lies among the learnt parameters; nil if it has none.
  var gradientRange: Range<Int>? { get }
  /// Floats that a part needs for its sums, at least those of the gradient.
  var sumSize: Int { get }
  /// Pieces of packing the weights into the order in which they are read, which different workers may do.
  var packCount: Int { get }
  func pack(_ piece: Int)
  /// Images to take at once, so that weights are not read again for each image.
  var imagesForward: Int { get }
  var imagesBackward: Int { get }
  /// Computes the output of the part's images.
  func forward(_ part: TrainingPart)
  /// From the gradient of the output, computes those of the inputs, and adds that of the weights to the part's sums.
  func backward(_ part: TrainingPart)
}

extension TrainingLayer {
  func scratchSize(images: Int) -> Int { 0 }
  var gradientRange: Range<Int>? { nil }
  var sumSize: Int { gradientRange?.count ?? 0 }
  var packCount: Int { 0 }
  var imagesForward: Int { 1 }
  var imagesBackward: Int { 1 }
  func pack(_ piece: Int) {}
}
