public import Hyperparameters
public import Imaging
public import Networks
internal import Synchronization

/// Makes the tensors and targets of batches, on all workers at once.
///
/// What a batch holds depends on the plan, the epoch and the batch's number alone: not on threads, nor on what was made
/// before.
public final class Batches: Sendable {
  public let images: TrainingImages
  public let plan: EpochPlan
  public let augmentation: Augmentation
  public let targetOptions: TargetOptions
  private let decoding: DecodeOptions
  private let lastOrder = Mutex<(epoch: Int, order: [Int])>((-1, []))

  /// - Parameters:
  ///   - augmentation: for training; an evaluation takes none.
  ///   - keepsDamaged: damaged images count as far as they decode.
  public init(
    _ images: TrainingImages, plan: EpochPlan, augmentation: Augmentation = Augmentation(),
    targets: TargetOptions = TargetOptions(), keepsDamaged: Bool = false
  ) {
    precondition(plan.imageCount == images.count, "the plan is for these images")
    self.images = images
    self.plan = plan
    self.augmentation = augmentation
    self.targetOptions = targets
    decoding = DecodeOptions(keepDamaged: keepsDamaged)
  }

  /// An image that cannot be decoded.
  public struct Fault: Hashable, Sendable, Codable, CustomStringConvertible {
    public let name: String, reason: String
    /// What was taken in its place: the next one of the epoch's order that can be decoded; nil in an evaluation.
    public let replacement: String?

    public var description: String {
      "\(name): \(reason); " + (replacement.map { "\($0) is taken in its place" } ?? "it is left out")
    }
  }

  /// What `fill` made.
  public struct Filled: Hashable, Sendable {
    /// The number of the image in each place of the batch, from the first on; fewer than a batch at the end of an
    /// evaluation, and where an evaluation leaves out what cannot be decoded.
    public var images: [Int] = []
    public var faults: [Fault] = []

    public var count: Int { images.count }
  }

  /// Makes a batch.
  ///
  /// - Parameters:
  ///   - tensors: room for `plan.batch` images of the preset.
  ///   - targets: room for `plan.batch` times `classCount` numbers.
  ///   - preset: its shape may change from epoch to epoch.
  /// - Throws: `TrainingError`: an image smaller than the shape, with its name; a file that can no longer be read; a set
  ///   of which no image can be decoded. The numbers mean nothing then.
  public func fill(
    _ tensors: inout MutableSpan<Float>, targets: inout MutableSpan<Float>, preset: Preset, epoch: Int,
    batch: Int, workers: Workers
  ) throws(TrainingError) -> Filled {
    let size = preset.count
    precondition(
      tensors.count >= plan.batch * size && targets.count >= plan.batch * images.classCount,
      "there is room for a batch")
    precondition((0..<plan.batchCount).contains(batch), "the epoch has this batch")
    let places = plan.places(ofBatch: batch)
    let found = outcomes(
      &tensors, preset, order(epoch: epoch), places: Array(places), slots: Array(0..<places.count),
      epoch: epoch, workers)
    return try finish(
      &tensors, targets: &targets, size, found, epoch: epoch, batch: batch, workers)
  }

  /// Makes the tensors of the images at some places of the epoch's order, each in a slot of its own.
  func outcomes(
    _ tensors: inout MutableSpan<Float>, _ preset: Preset, _ order: [Int], places: [Int], slots: [Int],
    epoch: Int, _ workers: Workers
  ) -> [Outcome?] {
    let size = preset.count
    let found = Mutex([Outcome?](repeating: nil, count: places.count))
    unsafe tensors.withUnsafeMutableBufferPointer { numbers in
      let room = unsafe Room(numbers)
      workers.forEach(places.count) { part, _ in
        let outcome = room.withNumbers(slots[part] * size..<(slots[part] + 1) * size) { tensor in
          self.fill(&tensor, preset, order, from: places[part], epoch: epoch)
        }
        found.withLock { $0[part] = outcome }
      }
    }
    return found.withLock { $0 }
  }

  /// What is left when the tensors of a batch are made: its targets, and what mixes images.
  ///
  /// - Parameter outcomes: of the batch's places.
  func finish(
    _ tensors: inout MutableSpan<Float>, targets: inout MutableSpan<Float>, _ size: Int,
    _ outcomes: [Outcome?],
    epoch: Int, batch: Int, _ workers: Workers
  ) throws(TrainingError) -> Filled {
    var result = Filled()
    for (slot, outcome) in outcomes.enumerated() {
      guard let outcome else { continue }
      if let error = outcome.error { throw error }
      result.faults += outcome.faults
      guard let image = outcome.image else { continue }
      move(&tensors, size, from: slot, to: result.count)
      images.writeTargets(
        of: image, smoothing: plan.isTraining ? targetOptions.labelSmoothing : 0, to: &targets,
        at: result.count * images.classCount)
      result.images.append(image)
    }
    if plan.isTraining {
      mix(&tensors, &targets, size, plan.places(ofBatch: batch), epoch: epoch, workers)
    }
    return result
  }

  /// What became of one place of the batch.
  struct Outcome: Sendable {
    var image: Int?
    var faults: [Fault] = []
    var error: TrainingError?
  }

  /// Makes the tensor of the image at a place of the order or, in training, of the next one that can be decoded.
  func fill(
    _ tensor: inout MutableSpan<Float>, _ preset: Preset, _ order: [Int], from place: Int, epoch: Int
  ) -> Outcome {
    var outcome = Outcome()
    var reasons: [(name: String, reason: String)] = []
    for step in 0..<(plan.isTraining ? order.count : 1) {
      let image = order[(place + step) % order.count]
      let draw = augmentation.draw(seed: plan.seed, epoch: epoch, image: image)
      do {
        let fault = try images.withBytes(of: image) { bytes in
          do throws(ImageError) {
            try preset.fill(&tensor, from: bytes, draw, decoding)
            return nil as ImageError?
          } catch {
            return error
          }
        }
        guard let fault else {
          outcome.image = image
          break
        }
        if case .smallerThanShape = fault.reason {
          outcome.error = TrainingError("\(images.name(of: image)): \(fault)")
          return outcome
        }
        reasons.append((images.name(of: image), "\(fault)"))
      } catch {
        outcome.error = error as? TrainingError ?? TrainingError("\(error)")
        return outcome
      }
    }
    if plan.isTraining, outcome.image == nil {
      outcome.error = TrainingError(
        "no image in the \(images.channel) channel can be decoded; the first: "
          + (reasons.first.map { "\($0.name): \($0.reason)" } ?? ""))
    }
    let replacement = outcome.image.map { images.name(of: $0) }
    outcome.faults = reasons.map { Fault(name: $0.name, reason: $0.reason, replacement: replacement) }
    return outcome
  }

  /// Closes the gap of an image that is left out.
  private func move(_ tensors: inout MutableSpan<Float>, _ size: Int, from slot: Int, to target: Int) {
    if slot == target { return }
    for place in 0..<size { tensors[target * size + place] = tensors[slot * size + place] }
  }

  /// Mixes neighbours: each keeps its share of itself, and takes the rest from the other.
  private func mix(
    _ tensors: inout MutableSpan<Float>, _ targets: inout MutableSpan<Float>, _ size: Int,
    _ places: Range<Int>,
    epoch: Int, _ workers: Workers
  ) {
    guard targetOptions.mixupAlpha > 0 else { return }
    let (options, seed, classCount) = (targetOptions, plan.seed, images.classCount)
    unsafe tensors.withUnsafeMutableBufferPointer { numbers in
      unsafe targets.withUnsafeMutableBufferPointer { truths in
        let (room, truthRoom) = unsafe (Room(numbers), Room(truths))
        workers.forEach(places.count / 2) { pair, _ in
          let share = options.share(ofPair: places.lowerBound / 2 + pair, seed: seed, epoch: epoch)
          for (room, size) in [(room, size), (truthRoom, classCount)] {
            room.withNumbers(2 * pair * size..<(2 * pair + 2) * size) { both in
              for place in 0..<size {
                let (one, other) = (both[place], both[size + place])
                both[place] = share * one + (1 - share) * other
                both[size + place] = share * other + (1 - share) * one
              }
            }
          }
        }
      }
    }
  }

  /// The epoch's order; that of the last one asked for is kept.
  func order(epoch: Int) -> [Int] {
    lastOrder.withLock { last in
      if last.epoch != epoch { last = (epoch, plan.order(epoch: epoch)) }
      return last.order
    }
  }
}

/// Numbers of which each worker gets a part of its own.
@safe private struct Room: @unchecked Sendable {  // parts do not overlap, and the owner waits
  private let numbers: UnsafeMutableBufferPointer<Float>

  init(_ numbers: UnsafeMutableBufferPointer<Float>) { unsafe self.numbers = numbers }

  func withNumbers<R>(_ range: Range<Int>, _ body: (inout MutableSpan<Float>) -> R) -> R {
    var part = unsafe MutableSpan(_unsafeElements: numbers.extracting(range))
    return body(&part)
  }
}
