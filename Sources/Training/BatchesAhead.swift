public import Imaging
public import Networks

/// Prefetches training batches on spare threads while the network trains. The workers decode whatever is not ready when
/// a batch is requested. The batches equal those of `Batches.fill`, bit for bit.
///
/// Nothing waits for a spare thread, because other programs may keep the cores busy: an image that such a thread is
/// still decoding when its batch is requested is decoded a second time. Not thread-safe: one caller at a time.
public final class BatchesAhead {
  private let batches: Batches
  private let epochs: Int
  private let workers: Workers
  private let depth: Int
  private let preset: (_ epoch: Int) throws -> Preset
  private let shelf = Monitor(Shelf())
  private let threads: SpareThreads
  /// Buffers of delivered batches, for reuse.
  private var room: [FloatBuffer] = []

  /// - Parameters:
  ///   - epochs: epochs of the training; nothing is prefetched after the last one.
  ///   - depth: the most batches to prefetch; each needs memory for its tensors. 0 prefetches nothing.
  ///   - preset: the preprocessing of an epoch, which may change the shape.
  public init(
    _ batches: Batches, epochs: Int, workers: Workers, depth: Int = 2,
    preset: @escaping (_ epoch: Int) throws -> Preset
  ) {
    self.batches = batches
    self.epochs = epochs
    self.workers = workers
    self.depth = depth
    self.preset = preset
    let shelf = shelf
    // Half as many as there are workers: all workers wait at the end of a layer for one that has to share its core.
    threads = SpareThreads(count: depth > 0 ? (workers.count + 1) / 2 : 0) {
      while case .work(let work) = shelf.wait(for: { $0.next() }) {
        let outcome = work.make(by: batches)
        shelf.withLock { _ in work.draft.take(outcome, slot: work.slot) }
      }
    }
  }

  deinit {
    shelf.withLock { $0.isOver = true }
    shelf.wake()
  }

  /// Fills in a batch, and starts to prefetch the batches that follow it.
  ///
  /// A batch other than the one after the previous call discards what was prefetched.
  ///
  /// - Parameters: as `Batches.fill`.
  /// - Throws: what `Batches.fill` throws for this batch; an error of the buffers if memory for the next batches cannot
  ///   be allocated; what `preset` throws.
  public func fill(
    _ tensors: inout MutableSpan<Float>, targets: inout MutableSpan<Float>, epoch: Int, batch: Int
  ) throws -> Batches.Filled {
    let draft = try place(epoch: epoch, batch: batch)
    var (begun, outcomes) = shelf.withLock { _ in draft.close() }
    // Otherwise a spare thread is still writing into the buffer.
    if outcomes.prefix(begun).allSatisfy({ $0 != nil }) { room.append(draft.room) }
    for slot in outcomes.indices where outcomes[slot] != nil { draft.copy(slot, to: &tensors) }
    let missing = outcomes.indices.filter { outcomes[$0] == nil }
    let made = batches.outcomes(
      &tensors, draft.preset, draft.order, places: missing.map { draft.places.lowerBound + $0 },
      slots: missing, epoch: epoch, workers)
    for (slot, outcome) in zip(missing, made) { outcomes[slot] = outcome }
    return try batches.finish(
      &tensors, targets: &targets, draft.preset.count, outcomes, epoch: epoch, batch: batch, workers)
  }

  /// Takes the draft of a batch off the shelf, and puts drafts of the following batches on it.
  private func place(epoch: Int, batch: Int) throws -> Draft {
    var drafts = shelf.withLock { shelf in
      defer { shelf.drafts = [] }
      return shelf.drafts
    }
    // The caller jumped to another place: these drafts will not be requested.
    if let first = drafts.first, (first.epoch, first.batch) != (epoch, batch) { drafts = [] }
    var last = (epoch: epoch, batch: batch - 1)
    if let draft = drafts.last { last = (draft.epoch, draft.batch) }
    while drafts.count <= depth {
      last.batch += 1
      if last.batch >= batches.plan.batchCount { last = (last.epoch + 1, 0) }
      guard drafts.isEmpty || last.epoch < epochs else { break }
      drafts.append(try draft(epoch: last.epoch, batch: last.batch))
    }
    let wanted = drafts.removeFirst()
    shelf.withLock { $0.drafts = drafts }
    shelf.wake()
    return wanted
  }

  private func draft(epoch: Int, batch: Int) throws -> Draft {
    let preset = try preset(epoch)
    let count = batches.plan.batch * preset.count
    room.removeAll { $0.count != count }
    return Draft(
      epoch: epoch, batch: batch, preset: preset, order: batches.order(epoch: epoch),
      places: batches.plan.places(ofBatch: batch), room: try room.popLast() ?? FloatBuffer(count: count))
  }
}

/// The batches being prefetched, in the order in which they will be requested.
private struct Shelf {
  var drafts: [Draft] = []
  var isOver = false

  enum Next {
    case work(Work)
    case end
  }

  /// The next image to decode; nil if there is none yet.
  func next() -> Next? {
    if isOver { return .end }
    for draft in drafts { if let work = draft.work() { return .work(work) } }
    return nil
  }
}

/// A batch being prefetched. `begun` and `outcomes` are accessed only under the shelf's lock; each slot of `room` has a
/// single writer.
private final class Draft: @unchecked Sendable {
  let epoch: Int, batch: Int
  let preset: Preset
  let order: [Int]
  let places: Range<Int>
  let room: FloatBuffer
  private var begun = 0
  private var outcomes: [Batches.Outcome?]

  init(epoch: Int, batch: Int, preset: Preset, order: [Int], places: Range<Int>, room: FloatBuffer) {
    self.epoch = epoch
    self.batch = batch
    self.preset = preset
    self.order = order
    self.places = places
    self.room = room
    outcomes = [Batches.Outcome?](repeating: nil, count: places.count)
  }

  func work() -> Work? {
    guard begun < places.count else { return nil }
    begun += 1
    return Work(draft: self, slot: begun - 1)
  }

  func take(_ outcome: Batches.Outcome, slot: Int) { outcomes[slot] = outcome }

  /// Stops handing out images.
  ///
  /// - Returns: how many images were handed out, and the outcomes of those that are finished.
  func close() -> (begun: Int, outcomes: [Batches.Outcome?]) {
    defer { begun = places.count }
    return (begun, outcomes)
  }

  func copy(_ slot: Int, to tensors: inout MutableSpan<Float>) {
    let size = preset.count
    precondition(
      tensors.count >= (slot + 1) * size && room.count >= (slot + 1) * size,
      "both buffers must hold this slot")
    unsafe tensors.withUnsafeMutableBufferPointer { numbers in
      guard let start = numbers.baseAddress else { return }
      unsafe (start + slot * size).update(from: room.start + slot * size, count: size)
    }
  }
}

/// One image of a draft.
private struct Work: Sendable {
  let draft: Draft
  let slot: Int

  func make(by batches: Batches) -> Batches.Outcome {
    let size = draft.preset.count
    var tensor = unsafe MutableSpan(_unsafeStart: draft.room.start + slot * size, count: size)
    return batches.fill(
      &tensor, draft.preset, draft.order, from: draft.places.lowerBound + slot, epoch: draft.epoch)
  }
}
