public import Imaging
public import Networks

/// Makes the batches of a training before they are asked for, beside the steps; what is not ready when it is asked for
/// the workers make. The batches are those of `Batches.fill`, bit for bit.
///
/// Nothing waits for the threads that work ahead: other programs may keep the cores from them. An image that such a thread
/// has in work when its batch is asked for is made anew. One thread asks at a time.
public final class BatchesAhead {
  private let batches: Batches
  private let epochs: Int
  private let workers: Workers
  private let depth: Int
  private let preset: (_ epoch: Int) throws -> Preset
  private let shelf = Monitor(Shelf())
  private let threads: SpareThreads
  /// Room of batches that were taken.
  private var room: [FloatBuffer] = []

  /// - Parameters:
  ///   - epochs: none is prepared after these.
  ///   - depth: batches made or in work at most beside the one that is asked for; each takes its tensors' memory.
  ///   - preset: of an epoch.
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
    // Half as many as workers: a core that is shared holds up all workers at the end of a layer.
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

  /// Takes a batch; best the one that follows the last one taken.
  ///
  /// - Parameters: as `Batches.fill`.
  /// - Throws: as `Batches.fill`, for this batch alone; where there is no memory for another one.
  public func fill(
    _ tensors: inout MutableSpan<Float>, targets: inout MutableSpan<Float>, epoch: Int, batch: Int
  ) throws -> Batches.Filled {
    let draft = try place(epoch: epoch, batch: batch)
    var (begun, outcomes) = shelf.withLock { _ in draft.close() }
    // Else a thread still writes into it.
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

  /// The draft of a batch, which leaves the shelf; those that follow are put on it.
  private func place(epoch: Int, batch: Int) throws -> Draft {
    var drafts = shelf.withLock { shelf in
      defer { shelf.drafts = [] }
      return shelf.drafts
    }
    // Not what was expected: none of them will be asked for.
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

/// The batches in work, in the order in which they will be asked for.
private struct Shelf {
  var drafts: [Draft] = []
  var isOver = false

  enum Next {
    case work(Work)
    case end
  }

  /// The next image to make; nil where there is none yet.
  func next() -> Next? {
    if isOver { return .end }
    for draft in drafts { if let work = draft.work() { return .work(work) } }
    return nil
  }
}

/// A batch that is being made. Its counts and outcomes are touched under the shelf's lock, each slot of its room by one
/// maker.
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

  /// Nobody begins a further image.
  ///
  /// - Returns: how many were begun, and what became of those that are done.
  func close() -> (begun: Int, outcomes: [Batches.Outcome?]) {
    defer { begun = places.count }
    return (begun, outcomes)
  }

  func copy(_ slot: Int, to tensors: inout MutableSpan<Float>) {
    let size = preset.count
    precondition(
      tensors.count >= (slot + 1) * size && room.count >= (slot + 1) * size, "there is room for a batch")
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
