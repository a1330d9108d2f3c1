import Dispatch
import Imaging
import Inference
import Networks
import Synchronization
import TestSupport

/// A trivial network, whose outputs depend only on the image's own pixels.
public final class StubNetwork: ImageNetwork {
  public let inputShape: [Int]
  public let outputCount: Int
  public let givesProbabilities: Bool
  /// Called before each run with the number of images.
  private let onRun: @Sendable (Int) -> Void
  private let counts = Mutex<[Int]>([])

  public init(
    inputShape: [Int] = [3, 8, 8], outputCount: Int = 3, givesProbabilities: Bool = true,
    onRun: @escaping @Sendable (Int) -> Void = { _ in }
  ) {
    self.inputShape = inputShape
    self.outputCount = outputCount
    self.givesProbabilities = givesProbabilities
    self.onRun = onRun
  }

  /// The batch sizes of the runs so far.
  public var batches: [Int] { counts.withLock { $0 } }

  public func run(_ images: Span<Float>, count: Int, into outputs: inout MutableSpan<Float>) {
    onRun(count)
    counts.withLock { $0.append(count) }
    let size = inputShape.reduce(1, *)
    for image in 0..<count {
      for output in 0..<outputCount {
        // A different pixel of the image for each output.
        outputs[image * outputCount + output] = images[image * size + output * 11 % size] / 256
      }
    }
  }
}

public func makeClassifier(
  _ network: StubNetwork, classes: [String]? = nil, cores: Cores = Cores(Workers(count: 2))
) throws -> Classifier {
  try Classifier(
    network: network, preset: Preset(mode: .squash, shape: network.inputShape), classes: classes,
    cores: cores)
}

/// A small JPEG whose pixels depend on the seed.
public func jpeg(seed: Int = 1, width: Int = 12, height: Int = 9) throws -> [UInt8] {
  var generator = SplitMix64(seed: UInt64(seed))
  let samples = generator.bytes(width * height * 3)
  return try encode(
    try Pixels(width: width, height: height, channels: 3, samples: samples.span), as: .jpeg(quality: 90))
}

/// A gate that holds the network until it is opened.
public final class Gate: Sendable {
  private let entered = DispatchSemaphore(value: 0)
  private let opened = DispatchSemaphore(value: 0)

  public init() {}

  /// In the network.
  public func pass() {
    entered.signal()
    opened.wait()
  }

  /// In the test: waits until a run has begun.
  public func waitForRun() { entered.wait() }

  public func open(_ count: Int = 1000) { for _ in 0..<count { opened.signal() } }
}
