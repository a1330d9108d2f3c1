
/// What a part of a batch works with: its images, where values and gradients are, and memory of its own.
@safe struct TrainingPart: @unchecked Sendable {  // no two parts have the same images or memory
  var images: Range<Int>
  /// All images of the part, of which `images` may be some: they are gone through in order.
  let all: Range<Int>
  /// Which part; it has scratch memory of its own.
  let index: Int
  let execution: Execution
  /// Where the sums of a weight's gradient go before the parts are added up.
  let sums: UnsafeMutablePointer<Float>

  var isFirst: Bool { images.lowerBound == all.lowerBound }
  var isLast: Bool { images.upperBound == all.upperBound }

  /// The part's images a few at a time: what a few have made is still near when it is read.
  func forEachFew(_ count: Int, _ body: (TrainingPart) -> Void) {
    for first in stride(from: all.lowerBound, to: all.upperBound, by: max(1, count)) {
      var few = self
      few.images = first..<min(first + max(1, count), all.upperBound)
      body(few)
    }
  }

  var scratch: UnsafeMutablePointer<Float> { unsafe execution.scratch[index].start }
}

/// A layer that learns, or lets gradients pass. Each call has one part of a batch; the parts run at the same time.
protocol TrainingLayer: Sendable {
  /// Floats of scratch memory that a part needs.
  func scratchSize(images: Int) -> Int
  /// Floats of a weight's gradient, in the layout of the learnt parameters.
  var gradientRange: Range<Int>? { get }
  /// Floats that a part needs for its sums, at least the gradient's.
  var sumSize: Int { get }
  /// How many pieces of work it is to bring the weights into the order in which they are read.
  var packCount: Int { get }
  func pack(_ piece: Int)
  /// How many images it takes to do without reading much again for each.
  var imagesForward: Int { get }
  var imagesBackward: Int { get }
  func forward(_ part: TrainingPart)
  /// From the output's gradient to those of the inputs, and to the weights' in the part's sums.
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
