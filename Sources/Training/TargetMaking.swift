import Glibc
import Imaging

/// What a network shall say of images: one-hot, smoothed, mixed; or a 0 or 1 a class.
public struct TargetOptions: Hashable, Sendable {
  /// What share of the truth goes to the other classes, evenly: `smooth_alpha` of MXNet's SoftmaxOutput. Of multi-label
  /// data half of it goes from each number to the other.
  public var labelSmoothing: Double
  /// Images are mixed in pairs by a share that Beta(alpha, alpha) draws (Zhang et al. 2018); 0: not at all.
  public var mixupAlpha: Double

  public init(labelSmoothing: Double = 0, mixupAlpha: Double = 0) {
    self.labelSmoothing = labelSmoothing
    self.mixupAlpha = mixupAlpha
  }

  /// How much of its own each image of a pair keeps: 1 where nothing is mixed.
  ///
  /// - Parameter pair: half the place of its images in the epoch's order.
  public func share(ofPair pair: Int, seed: UInt64, epoch: Int) -> Float {
    guard mixupAlpha > 0 else { return 1 }
    var chance = KeyedGenerator(
      seed, Purpose.mixup, UInt64(truncatingIfNeeded: epoch), UInt64(truncatingIfNeeded: pair))
    // Jöhnk's rejection, in logarithms, as powers of a small alpha are too small for numbers.
    for _ in 0..<10_000 {
      let (x, y) = (log(1 - chance.fraction()) / mixupAlpha, log(1 - chance.fraction()) / mixupAlpha)
      guard exp(x) + exp(y) <= 1 else { continue }
      return Float(1 / (1 + exp(y - x)))
    }
    return 0.5
  }
}

extension TrainingImages {
  /// Writes the targets of one image, `classCount` numbers from `start` on.
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
