import Glibc
import Imaging
import Networks
import TestSupport
import Testing

@testable import Training

/// A batch as arrays.
private struct Made: Equatable {
  var filled = Batches.Filled()
  var tensors: [Float], targets: [Float]
}

private func make(_ batches: Batches, _ preset: Preset, epoch: Int = 0, batch: Int = 0, threads: Int = 2)
  throws -> Made
{
  var numbers = [Float](repeating: .nan, count: batches.plan.batch * preset.count)
  var truths = [Float](repeating: .nan, count: batches.plan.batch * batches.images.classCount)
  var tensors = numbers.mutableSpan
  var targets = truths.mutableSpan
  let filled = try batches.fill(
    &tensors, targets: &targets, preset: preset, epoch: epoch, batch: batch, workers: Workers(count: threads))
  return Made(filled: filled, tensors: numbers, targets: truths)
}

private func tensor(of image: Int, _ preset: Preset, _ draw: Augmentation.Draw) throws -> [Float] {
  let file = try smallImage(image)
  var tensor = [Float](repeating: 0, count: preset.count)
  var span = tensor.mutableSpan
  try preset.fill(&span, from: file.span, draw)
  return tensor
}

/// 12 images of three classes, one after the other.
private func withImages(
  broken: Set<Int> = [], with noImage: [UInt8] = noImage, _ body: (TrainingImages) throws -> Void
) throws {
  try withScratchFolder { folder in
    try writeRecords(folder + "/x.rec", labels: (0..<12).map { Float($0 % 3) }, broken: broken, with: noImage)
    try body(TrainingImages(.records(folder + "/x.rec"), channel: "train", classCount: 3))
  }
}

@Suite struct BatchTests {
  private let preset: Preset

  init() throws { preset = try Preset(shape: [3, 6, 5], mean: [1, 2, 3], std: [2, 3, 4]) }

  @Test(
    "a batch is the images of the epoch's order with their draws, whatever the threads", arguments: [1, 4])
  func images(_ threads: Int) throws {
    try withImages { images in
      let plan = EpochPlan(imageCount: 12, batch: 4, seed: 3, isTraining: true)
      let augmentation = Augmentation(.cropColorTransform)
      let batches = Batches(images, plan: plan, augmentation: augmentation)
      for (epoch, batch) in [(0, 0), (5, 2), (0, 1)] {
        let made = try make(batches, preset, epoch: epoch, batch: batch, threads: threads)
        let order = Array(plan.order(epoch: epoch)[batch * 4..<batch * 4 + 4])
        #expect(made.filled.images == order && made.filled.faults == [])
        let expected = try order.flatMap { image in
          try tensor(of: image, preset, augmentation.draw(seed: 3, epoch: epoch, image: image))
        }
        #expect(made.tensors == expected)
        #expect(made.targets == order.flatMap { image in (0..<3).map { $0 == image % 3 ? 1 : 0 } })
      }
    }
  }

  @Test(
    "batches made ahead are those made when they are asked for, in any order, with any threads",
    arguments: [(1, 0), (1, 2), (3, 1), (2, 5)])
  func ahead(_ row: (threads: Int, depth: Int)) throws {
    let plan = EpochPlan(imageCount: 12, batch: 4, seed: 3, isTraining: true)
    try withImages(broken: [plan.order(epoch: 1)[4]]) { images in
      let batches = Batches(
        images, plan: plan, augmentation: Augmentation(.cropColorTransform),
        targets: TargetOptions(labelSmoothing: 0.1, mixupAlpha: 0.5))
      // The size of the images grows after the first epoch.
      let presets = [try Preset(shape: [3, 4, 4]), preset, preset]
      let ahead = BatchesAhead(
        batches, epochs: 3, workers: Workers(count: row.threads), depth: row.depth
      ) { presets[$0] }
      let expected = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]
      var faults = 0
      // A leap, as of a training that goes on elsewhere, and back.
      for (epoch, batch) in expected + [(1, 2), (2, 0), (0, 1)] {
        let preset = presets[epoch]
        var numbers = [Float](repeating: .nan, count: 4 * preset.count)
        var truths = [Float](repeating: .nan, count: 12)
        var tensors = numbers.mutableSpan
        var targets = truths.mutableSpan
        let filled = try ahead.fill(&tensors, targets: &targets, epoch: epoch, batch: batch)
        let made = Made(filled: filled, tensors: numbers, targets: truths)
        #expect(try made == make(batches, preset, epoch: epoch, batch: batch))
        faults += filled.faults.count
      }
      #expect(faults >= 3, "one an epoch")
    }
  }

  @Test("an error in a later batch is reported with that batch, not before")
  func faultAhead() throws {
    try withScratchFolder { folder in
      for number in 0..<6 { writeScratchFile("\(folder)/\(number).png", try smallImage(number)) }
      let list = (0..<6).map { "\($0)\t0\t\($0).png\n" }.joined()
      writeScratchFile(folder + "/x.lst", list.utf8)
      let images = try TrainingImages(
        .list(folder + "/x.lst", root: folder), channel: "train", classCount: 1)
      let plan = EpochPlan(imageCount: 6, batch: 2, seed: 1, isTraining: true)
      let missing = "\(folder)/\(plan.order(epoch: 0)[4]).png"
      unlink(missing)
      let ahead = BatchesAhead(
        Batches(images, plan: plan), epochs: 1, workers: Workers(count: 2)
      ) { [preset] _ in preset }
      var numbers = [Float](repeating: 0, count: 2 * preset.count)
      var truths: [Float] = [0, 0]
      func take(_ batch: Int) throws {
        var tensors = numbers.mutableSpan
        var targets = truths.mutableSpan
        _ = try ahead.fill(&tensors, targets: &targets, epoch: 0, batch: batch)
      }
      try take(0)
      try take(1)
      #expect(message { try take(2) }.contains(missing))
    }
  }

  @Test("ranks make the halves of what one rank makes", arguments: [0.0, 0.7])
  func ranks(_ mixup: Double) throws {
    try withImages { images in
      let options = TargetOptions(labelSmoothing: 0.1, mixupAlpha: mixup)
      func batches(_ batch: Int, _ rank: Int, _ count: Int) -> Batches {
        Batches(
          images,
          plan: EpochPlan(
            imageCount: 12, batch: batch, seed: 8, isTraining: true, rank: rank, rankCount: count),
          augmentation: Augmentation(.crop), targets: options)
      }
      for batch in 0..<3 {
        let one = try make(batches(4, 0, 1), preset, epoch: 1, batch: batch)
        let parts = try (0..<2).map { try make(batches(2, $0, 2), preset, epoch: 1, batch: batch) }
        #expect(one.tensors == parts.flatMap(\.tensors) && one.targets == parts.flatMap(\.targets))
      }
    }
  }

  @Test("an image that cannot be decoded is told and replaced by the next one of the order")
  func replacement() throws {
    let plan = EpochPlan(imageCount: 12, batch: 12, seed: 1, isTraining: true)
    let order = plan.order(epoch: 0)
    // The last one of the order, whose next one is the first, and two that follow each other.
    let broken: Set<Int> = [order[11], order[4], order[5]]
    try withImages(broken: broken) { images in
      let made = try make(Batches(images, plan: plan), preset)
      var expected = order
      (expected[11], expected[4], expected[5]) = (order[0], order[6], order[6])
      #expect(made.filled.images == expected)
      #expect(made.tensors.allSatisfy { $0.isFinite })
      #expect(made.targets == expected.flatMap { image in (0..<3).map { $0 == image % 3 ? 1 : 0 } })
      #expect(made.filled.faults.count == 4)
      #expect(
        made.filled.faults.map(\.name)
          == [order[4], order[5], order[5], order[11]].map { images.name(of: $0) })
      #expect(
        made.filled.faults.map(\.replacement)
          == [order[6], order[6], order[6], order[0]].map { images.name(of: $0) })
      let last = try #require(made.filled.faults.last)
      #expect(
        last.description
          == "\(last.name): \(last.reason); \(images.name(of: order[0])) is used instead")
    }
  }

  @Test("an evaluation leaves out what cannot be decoded, and its last batch is short")
  func evaluation() throws {
    try withImages(broken: [1, 11]) { images in
      let batches = Batches(images, plan: EpochPlan(imageCount: 12, batch: 5, isTraining: false))
      let made = try (0..<3).map { try make(batches, preset, batch: $0) }
      #expect(made.map(\.filled.images) == [[0, 2, 3, 4], [5, 6, 7, 8, 9], [10]])
      #expect(made[0].filled.faults.map(\.replacement) == [nil] && made[2].filled.faults.count == 1)
      for (slot, image) in made[0].filled.images.enumerated() {
        let expected = try tensor(of: image, preset, Augmentation.Draw())
        #expect(Array(made[0].tensors[slot * preset.count..<(slot + 1) * preset.count]) == expected)
        #expect(Array(made[0].targets[slot * 3..<slot * 3 + 3]) == (0..<3).map { $0 == image % 3 ? 1 : 0 })
      }
    }
  }

  @Test("a damaged image is replaced, or learned from where that is asked for", arguments: [false, true])
  func damage(keepsDamaged: Bool) throws {
    var random = SplitMix64(seed: 4)
    let pixels = try Pixels(width: 24, height: 24, channels: 3, samples: random.bytes(24 * 24 * 3).span)
    let file = try encode(pixels, as: .jpeg(quality: 90))
    try withImages(broken: [3], with: file.dropLast(2) + (1...40) + file.suffix(2)) { images in
      let plan = EpochPlan(imageCount: 12, batch: 12, isTraining: false)
      let made = try make(Batches(images, plan: plan, keepsDamaged: keepsDamaged), preset)
      #expect(made.filled.images.contains(3) == keepsDamaged)
      #expect(made.filled.faults.count == (keepsDamaged ? 0 : 1))
    }
  }

  @Test("a set of which nothing can be decoded ends the training, and so does an image that is too small")
  func endings() throws {
    try withImages(broken: Set(0..<12)) { images in
      let batches = Batches(images, plan: EpochPlan(imageCount: 12, batch: 2, isTraining: true))
      #expect(
        message { _ = try make(batches, preset) }.hasPrefix(
          "no image of the train channel can be decoded; the first is "))
    }
    try withImages { images in
      let batches = Batches(images, plan: EpochPlan(imageCount: 12, batch: 2, isTraining: false))
      #expect(
        message { _ = try make(batches, Preset(shape: [3, 11, 12])) }
          == "\(images.name(of: 0)): input image size smaller than input shape: 12x10 pixels, from which 12x11 are to be "
          + "cropped")
    }
  }

  @Test("mixed pairs keep their sum, in images and in targets, and are mixed by the drawn share")
  func mixup() throws {
    try withImages { images in
      let plan = EpochPlan(imageCount: 12, batch: 4, seed: 3, isTraining: true)
      let options = TargetOptions(mixupAlpha: 0.5)
      let plain = try make(Batches(images, plan: plan), preset, epoch: 2, batch: 1)
      let mixed = try make(Batches(images, plan: plan, targets: options), preset, epoch: 2, batch: 1)
      for pair in 0..<2 {
        let share = options.share(ofPair: 2 + pair, seed: 3, epoch: 2)
        for (made, size) in [(\Made.tensors, preset.count), (\Made.targets, 3)] {
          for place in 0..<size {
            let at = (2 * pair * size + place, (2 * pair + 1) * size + place)
            let (one, other) = (plain[keyPath: made][at.0], plain[keyPath: made][at.1])
            #expect(abs(mixed[keyPath: made][at.0] - (share * one + (1 - share) * other)) < 1e-3)
            #expect(abs(mixed[keyPath: made][at.1] - (share * other + (1 - share) * one)) < 1e-3)
          }
        }
      }
    }
  }

  @Test(
    "shares of a mix have the mean and the variance of the beta distribution", arguments: [0.01, 0.2, 1, 2])
  func shares(_ alpha: Double) {
    let options = TargetOptions(mixupAlpha: alpha)
    let shares = (0..<20_000).map { Double(options.share(ofPair: $0, seed: 1, epoch: 0)) }
    #expect(shares.allSatisfy { (0...1).contains($0) })
    let mean = shares.reduce(0, +) / 20_000
    let variance = shares.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 20_000
    #expect(abs(mean - 0.5) < 0.015)
    #expect(abs(variance - 1 / (4 * (2 * alpha + 1))) < 0.004)
    #expect(TargetOptions().share(ofPair: 3, seed: 1, epoch: 0) == 1)
  }

  @Test("smoothed targets are MXNet's: alpha spread over the other classes; of multi-label data half of it")
  func smoothing() throws {
    try withImages { images in
      var targets = [Float](repeating: 9, count: 4)
      var span = targets.mutableSpan
      images.writeTargets(of: 1, smoothing: 0.1, to: &span, at: 1)
      #expect(targets == [9, 0.05, 0.9, 0.05])
    }
    try withScratchFolder { folder in
      writeScratchFile(folder + "/1.png", try smallImage(1))
      writeScratchFile(folder + "/x.lst", "0\t1\t0\t1.png\n".utf8)
      let images = try TrainingImages(
        .list(folder + "/x.lst", root: folder), channel: "train", classCount: 2, isMultiLabel: true)
      var targets = [Float](repeating: 9, count: 2)
      var span = targets.mutableSpan
      images.writeTargets(of: 0, smoothing: 0.1, to: &span, at: 0)
      #expect(targets == [0.95, 0.05])
    }
  }
}
