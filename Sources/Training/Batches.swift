import Glibc
public import Hyperparameters
public import Imaging
public import Networks
import Synchronization

/// Decodes, augments and labels the images of a batch, on all workers at once.
///
/// The content of a batch depends only on the plan, the epoch and the batch number, not on the number of threads or on
/// earlier calls.
public final class Batches: Sendable {
  public let images: TrainingImages
  /// Which images belong to which batch.
  public let plan: EpochPlan
  public let augmentation: Augmentation
  /// Label smoothing and mixup; ignored by an evaluation.
  public let targetOptions: TargetOptions
  private let decoding: DecodeOptions
  private let lastOrder = Mutex<(epoch: Int, order: [Int])>((-1, []))

  /// - Parameters:
  ///   - plan: must be made for as many images as there are in `images`.
  ///   - augmentation: random crops, flips and colour changes for training; the default changes nothing.
  ///   - targets: label smoothing and mixup; only a training plan applies them.
  ///   - keepsDamaged: whether damaged images are used as far as they decode, instead of being replaced or left out.
  public init(
    _ images: TrainingImages, plan: EpochPlan, augmentation: Augmentation = Augmentation(),
    targets: TargetOptions = TargetOptions(), keepsDamaged: Bool = false
  ) {
    precondition(plan.imageCount == images.count, "the plan must be made for this number of images")
    self.images = images
    self.plan = plan
    self.augmentation = augmentation
    self.targetOptions = targets
    decoding = DecodeOptions(keepDamaged: keepsDamaged)
  }

  /// An image that could not be decoded.
  public struct Fault: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The image's path, or its record's place in a `.rec` file; and what is wrong with it.
    public let name: String, reason: String
    /// The image used instead: the next decodable one in the epoch's order. Nil in an evaluation, which leaves it out.
    public let replacement: String?

    public var description: String {
      "\(name): \(reason); " + (replacement.map { "\($0) is used instead" } ?? "it is left out")
    }
  }

  /// The result of `fill`.
  public struct Filled: Hashable, Sendable {
    /// The image number in each slot of the batch. An evaluation may have fewer images than `plan.batch`: at its end,
    /// and wherever it leaves out images that cannot be decoded.
    public var images: [Int] = []
    /// The images of this batch that could not be decoded.
    public var faults: [Fault] = []

    /// Images in the batch.
    public var count: Int { images.count }
  }

  /// Fills in the tensors and targets of a batch.
  ///
  /// - Parameters:
  ///   - tensors: at least `plan.batch * preset.count` numbers.
  ///   - targets: at least `plan.batch * classCount` numbers.
  ///   - preset: its shape may differ from epoch to epoch.
  ///   - epoch: counts from 0.
  ///   - batch: counts from 0.
  /// - Throws: `TrainingError` for an image smaller than the shape, for a file that can no longer be read, and if no
  ///   image of the set can be decoded. The contents of both buffers are then undefined.
  /// - Complexity: decodes up to `plan.batch` images, plus one for each image that has to be replaced.
  public func fill(
    _ tensors: inout MutableSpan<Float>, targets: inout MutableSpan<Float>, preset: Preset, epoch: Int,
    batch: Int, workers: Workers
  ) throws(TrainingError) -> Filled {
    let size = preset.count
    precondition(
      tensors.count >= plan.batch * size && targets.count >= plan.batch * images.classCount,
      "both buffers must hold a whole batch")
    precondition((0..<plan.batchCount).contains(batch), "the batch must be one of the epoch's")
    let places = plan.places(ofBatch: batch)
    let found = outcomes(
      &tensors, preset, order(epoch: epoch), places: Array(places), slots: Array(0..<places.count),
      epoch: epoch, workers)
    return try finish(
      &tensors, targets: &targets, size, found, epoch: epoch, batch: batch, workers)
  }

  /// Decodes the images at the given places of the epoch's order, each into the slot at the same position of `slots`.
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

  /// Completes a batch whose tensors are filled in: closes gaps, writes the targets and applies mixup.
  ///
  /// - Parameter outcomes: one for each place of the batch, in order.
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

  /// What happened to one place of the batch: the image that fills it, the images that could not, or an error.
  struct Outcome: Sendable {
    var image: Int?
    var faults: [Fault] = []
    var error: TrainingError?
  }

  /// Fills in the tensor of the image at a place of the order or, in training, of the next image that decodes.
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
        "no image of the \(images.channel) channel can be decoded; the first is "
          + (reasons.first.map { "\($0.name): \($0.reason)" } ?? ""))
    }
    let replacement = outcome.image.map { images.name(of: $0) }
    outcome.faults = reasons.map { Fault(name: $0.name, reason: $0.reason, replacement: replacement) }
    return outcome
  }

  /// Moves an image into the gap that a left-out image leaves before it.
  private func move(_ tensors: inout MutableSpan<Float>, _ size: Int, from slot: Int, to target: Int) {
    if slot == target { return }
    for place in 0..<size { tensors[target * size + place] = tensors[slot * size + place] }
  }

  /// Mixup of neighbouring images: each of a pair keeps `share` of itself and takes the rest from the other.
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

  /// The order of the images in an epoch; the order of the latest epoch is cached.
  func order(epoch: Int) -> [Int] {
    lastOrder.withLock { last in
      if last.epoch != epoch { last = (epoch, plan.order(epoch: epoch)) }
      return last.order
    }
  }
}

/// A buffer of which each worker writes a separate part.
@safe private struct Room: @unchecked Sendable {  // parts do not overlap; the owner waits
  private let numbers: UnsafeMutableBufferPointer<Float>

  init(_ numbers: UnsafeMutableBufferPointer<Float>) { unsafe self.numbers = numbers }

  func withNumbers<R>(_ range: Range<Int>, _ body: (inout MutableSpan<Float>) -> R) -> R {
    var part = unsafe MutableSpan(_unsafeElements: numbers.extracting(range))
    return body(&part)
  }
}

/// Which images a rank sees in which batch: a pure function of the seed, the epoch and the rank.
///
/// A *global* batch is the concatenation of the batches of all ranks in rank order. N ranks with batch size B therefore
/// see the same images per update as one rank with batch size N * B.
public struct EpochPlan: Hashable, Sendable {
  /// Images in the whole set.
  public let imageCount: Int
  /// Images in one batch of one rank.
  public let batch: Int
  /// This process, from 0, and the number of processes.
  public let rank: Int, rankCount: Int
  /// Determines the order of the images.
  public let seed: UInt64
  /// Whether each epoch is shuffled and drops the images that do not fill a global batch. An evaluation sees every
  /// image in its original order; its last batch may be short, or empty for the last ranks.
  public let isTraining: Bool

  public init(
    imageCount: Int, batch: Int, seed: UInt64 = 0, isTraining: Bool, rank: Int = 0, rankCount: Int = 1
  ) {
    precondition(
      imageCount >= 0 && batch >= 1 && rankCount >= 1 && (0..<rankCount).contains(rank),
      "rank must be in 0..<rankCount, and batch at least 1")
    self.imageCount = imageCount
    self.batch = batch
    self.seed = seed
    self.isTraining = isTraining
    self.rank = rank
    self.rankCount = rankCount
  }

  /// Batches in an epoch; the same for all ranks.
  public var batchCount: Int {
    let global = batch * rankCount
    return isTraining ? imageCount / global : (imageCount + global - 1) / global
  }

  /// The places in the epoch's order that a batch of this rank covers.
  ///
  /// - Parameter number: the batch, from 0.
  public func places(ofBatch number: Int) -> Range<Int> {
    let start = min((number * rankCount + rank) * batch, imageCount)
    return start..<min(start + batch, imageCount)
  }

  /// The image numbers in the order of an epoch: a Fisher-Yates shuffle for training, 0, 1, 2, ... for an evaluation.
  /// - Complexity: O(images).
  public func order(epoch: Int) -> [Int] {
    var order = Array(0..<imageCount)
    guard isTraining else { return order }
    var chance = KeyedGenerator(seed, Purpose.order, UInt64(truncatingIfNeeded: epoch))
    for place in stride(from: imageCount - 1, to: 0, by: -1) {
      order.swapAt(place, chance.index(below: place + 1))
    }
    return order
  }
}

/// Separates the random streams that share one seed.
enum Purpose {
  static let order: UInt64 = 0x6f72_6465_7200_0001
  static let mixup: UInt64 = 0x6d69_7875_7000_0002
}

/// How training targets are softened: label smoothing and mixup.
public struct TargetOptions: Hashable, Sendable {
  /// The share of the target that is spread evenly over the other classes, 0..<1: `smooth_alpha` of MXNet's
  /// SoftmaxOutput. For multi-label data, 1 becomes 1 - s / 2, and 0 becomes s / 2.
  public var labelSmoothing: Double
  /// The alpha of the distribution Beta(alpha, alpha) from which mixup draws its shares (Zhang et al. 2018); 0: no
  /// mixup.
  public var mixupAlpha: Double

  public init(labelSmoothing: Double = 0, mixupAlpha: Double = 0) {
    self.labelSmoothing = labelSmoothing
    self.mixupAlpha = mixupAlpha
  }

  /// The share of itself that each image of a pair keeps, 0...1; 1 without mixup.
  ///
  /// - Parameter pair: the number of the pair in the epoch's order; places 2 * pair and 2 * pair + 1 form a pair.
  public func share(ofPair pair: Int, seed: UInt64, epoch: Int) -> Float {
    guard mixupAlpha > 0 else { return 1 }
    var chance = KeyedGenerator(
      seed, Purpose.mixup, UInt64(truncatingIfNeeded: epoch), UInt64(truncatingIfNeeded: pair))
    // Jöhnk's rejection method for the beta distribution, in logarithms: u^(1 / alpha) underflows for a small alpha.
    for _ in 0..<10_000 {
      let (x, y) = (log(1 - chance.fraction()) / mixupAlpha, log(1 - chance.fraction()) / mixupAlpha)
      guard exp(x) + exp(y) <= 1 else { continue }
      return Float(1 / (1 + exp(y - x)))
    }
    return 0.5
  }
}

extension TrainingImages {
  /// Writes the targets of one image: `classCount` numbers, starting at index `start`.
  func writeTargets(of image: Int, smoothing: Double, to targets: inout MutableSpan<Float>, at start: Int) {
    if isMultiLabel {
      for place in 0..<classCount {
        let value = Double(labels.values[image * classCount + place])
        targets[start + place] = Float(value * (1 - smoothing) + smoothing / 2)
      }
    } else {
      let other = classCount > 1 ? smoothing / Double(classCount - 1) : 0
      for place in 0..<classCount { targets[start + place] = Float(other) }
      targets[start + Int(labels.values[image])] = Float(classCount > 1 ? 1 - smoothing : 1)
    }
  }
}
