internal import Synchronization

/// One run of a plan's layers on some images: where the values are, and which threads work.
@safe struct Execution {
  /// The arena of these images, laid out as `memory` says.
  let arena: UnsafeMutableRawPointer
  let memory: MemoryPlan
  /// The images' tensors (NCHW), one after the other.
  let input: UnsafePointer<Float>
  /// nil: one worker does everything.
  let workers: Workers?
  /// Scratch memory: one for each worker, and one that all share.
  let scratch: [FloatBuffer]
  let shared: FloatBuffer
  /// Which of `scratch` is used if one worker does everything.
  let worker: Int

  /// How many workers share each layer.
  var width: Int { workers?.count ?? 1 }

  /// A value of one image, to be read, from its number `index` on; value 0 is the network's input.
  func source(_ value: Int, image: Int, at index: Int = 0) -> UnsafeRawPointer {
    guard value != 0 else {
      return unsafe UnsafeRawPointer(input + image * memory.values[0].size + index)
    }
    return unsafe UnsafeRawPointer(target(value, image: image, at: index))
  }

  /// A value of one image, to be written, from its number `index` on; never the network's input.
  func target(_ value: Int, image: Int, at index: Int = 0) -> UnsafeMutableRawPointer {
    unsafe arena + memory.offset(of: value, image: image) + index * memory.values[value].type.byteCount
  }

  /// The kernels' name for the type of a value; that of floats for none.
  func type(of value: Int?) -> Int32 { (value.map { memory.values[$0].type } ?? .float32).kernelType }

  /// A value of floats of one image, to be read.
  func read(_ value: Int, image: Int) -> UnsafePointer<Float> {
    assert(memory.values[value].type == .float32, "value \(value) has no floats")
    return unsafe source(value, image: image).assumingMemoryBound(to: Float.self)
  }

  /// A value of floats of one image, to be written; never the network's input.
  func write(_ value: Int, image: Int) -> UnsafeMutablePointer<Float> {
    assert(memory.values[value].type == .float32, "value \(value) has no floats")
    return unsafe target(value, image: image).assumingMemoryBound(to: Float.self)
  }

  /// Calls `body` for each of 0..<parts, on all workers if there are several; returns when all parts are done.
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

  /// Carries the body to the workers, which all have left it when the call ends.
  @safe private struct Shared: @unchecked Sendable {
    let body: (Int, UnsafeMutablePointer<Float>) -> Void
    let scratch: [FloatBuffer]
  }
}

/// A layer that is ready to run: its weights are packed for one set of kernels.
protocol Layer: Sendable {
  /// Floats of scratch memory that a worker needs, for `images` at once.
  func scratchSize(images: Int) -> Int
  /// Floats of scratch memory that all workers share when they share one image.
  var sharedScratchSize: Int { get }
  /// How many images of a run a worker takes at once, so that it reads the weights once for all of them.
  var imagesAtOnce: Int { get }
  /// Computes the output of these images of the execution.
  func run(_ images: Range<Int>, _ execution: Execution)
}

extension Layer {
  func scratchSize(images: Int) -> Int { 0 }
  var sharedScratchSize: Int { 0 }
  var imagesAtOnce: Int { 1 }
}

/// How long each layer of a run took, summed over workers.
final class LayerTimes: Sendable {
  private let times: Mutex<[Duration]>

  init(count: Int) { times = Mutex(Array(repeating: .zero, count: count)) }

  var values: [Duration] { times.withLock { $0 } }

  func add(_ time: Duration, to layer: Int) { times.withLock { $0[layer] += time } }
}
