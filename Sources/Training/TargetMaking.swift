import Glibc
import Imaging

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
