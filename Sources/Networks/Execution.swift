
/// One run of a plan's layers on some images: where the values are, and who works.
@safe struct Execution {
  /// The arena of these images.
  let arena: UnsafeMutablePointer<Float>
  let memory: MemoryPlan
  /// Where each image's tensor is: `images`, then one after the other.
  let input: UnsafePointer<Float>
  /// nil: one worker does it all.
  let workers: Workers?
  /// Scratch memory of each worker, and of all together.
  let scratch: [FloatBuffer]
  let shared: FloatBuffer
  /// Which of `scratch` is used where one worker does it all.
  let worker: Int

  /// How many can work at once.
  var width: Int { workers?.count ?? 1 }

  func read(_ value: Int, image: Int) -> UnsafePointer<Float> {
    unsafe value == 0
      ? input + image * memory.values[0].size
      : UnsafePointer(arena + memory.offset(of: value, image: image))
  }

  func write(_ value: Int, image: Int) -> UnsafeMutablePointer<Float> {
    unsafe arena + memory.offset(of: value, image: image)
  }

  /// Calls `body` for each of 0..<parts, on all workers where there are several; returns when all are done.
  func forEach(_ parts: Int, _ body: (_ part: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void) {
    guard let workers else {
      for part in 0..<parts { unsafe body(part, scratch[worker].start) }
      return
    }
    unsafe withoutActuallyEscaping(body) { body in
      let shared = unsafe Shared(body: body, scratch: scratch)
      workers.forEach(parts) { part, worker in unsafe shared.body(part, shared.scratch[worker].start) }
    }
  }

  /// Carries the body to the workers; the call ends only when they all have left it.
  @safe private struct Shared: @unchecked Sendable {
    let body: (Int, UnsafeMutablePointer<Float>) -> Void
    let scratch: [FloatBuffer]
  }
}

/// A layer that is ready to run: its weights are packed for one kernel set.
protocol Layer: Sendable {
  /// Floats of scratch memory that a worker needs, for `images` at once.
  func scratchSize(images: Int) -> Int
  /// Floats of scratch memory that all workers need together when they share one image.
  var sharedScratchSize: Int { get }
  /// Images of one run for which a worker reads the weights once.
  var imagesAtOnce: Int { get }
  /// Makes the output of these images of the execution's.
  func run(_ images: Range<Int>, _ execution: Execution)
}

extension Layer {
  func scratchSize(images: Int) -> Int { 0 }
  var sharedScratchSize: Int { 0 }
  var imagesAtOnce: Int { 1 }
}
