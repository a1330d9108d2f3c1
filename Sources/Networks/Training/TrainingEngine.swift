public import Models

/// How weights follow their gradients g: MXNet's optimisers, by MXNet's formulas. g is the mean over a batch. Weight
/// decay applies to weights w and gammas only, not to biases and betas.
public enum Optimizer: Hashable, Sendable, Codable {
  /// Momentum: v = momentum v - rate (g + decay w); w += v.
  case sgd(momentum: Double, weightDecay: Double)
  /// Nesterov's momentum: the same v, and w += momentum v - rate (g + decay w).
  case nag(momentum: Double, weightDecay: Double)
  /// Kingma & Ba, "Adam", 2015.
  case adam(beta1: Double, beta2: Double, epsilon: Double)
  /// Tieleman & Hinton, 2012: the gradient divided by the root of its moving mean square.
  case rmsprop(gamma: Double, epsilon: Double)
}

/// The loss of one step of training, and how long its parts took.
public struct TrainingStep: Hashable, Sendable {
  /// The mean cross-entropy of an image, in nats, before the update; with many labels, the mean over an image's
  /// outputs.
  public var loss: Double
  /// The time of each part of the step.
  public var forward: Duration, backward: Duration, update: Duration

  /// A step with the loss, and without times unless they are given.
  public init(
    loss: Double, forward: Duration = .zero, backward: Duration = .zero, update: Duration = .zero
  ) {
    self.loss = loss
    self.forward = forward
    self.backward = backward
    self.update = update
  }
}

/// What training needs of whatever computes: `Trainer` on this machine.
public protocol TrainingEngine: AnyObject {
  /// Channels, height, width of an image.
  var inputShape: [Int] { get }
  /// Numbers that the network gives for an image.
  var outputCount: Int { get }

  /// Makes one step: forward, backward, update.
  ///
  /// - Parameters:
  ///   - images: `count` tensors of `inputShape`, one after the other (NCHW).
  ///   - targets: `count * outputCount` numbers: a probability for each class; with many labels, 0 or 1 for each.
  ///   - count: at least 1; 0 is allowed if other ranks have images.
  ///   - outputs: gets `count * outputCount` probabilities, computed before the update.
  func step(
    _ images: Span<Float>, targets: Span<Float>, count: Int, learningRate: Double,
    outputs: inout MutableSpan<Float>
  ) throws -> TrainingStep

  /// A copy of the weights and moving statistics, under their names.
  func parameters() throws -> Parameters

  /// What else a checkpoint needs: copies of the optimiser's arrays ("momentum:NAME", "mean:NAME", "variance:NAME"),
  /// and how many updates were made.
  func optimizerState() throws -> (arrays: [String: Parameters.Array], updateCount: Int)

  /// Starts a moving average of weights and moving statistics, which begins with `parameters`.
  ///
  /// - Throws: if an array is missing or has another shape.
  func startAverage(_ parameters: Parameters) throws

  /// Sets average = kept * average + (1 - kept) * current; does nothing if no average was started.
  ///
  /// - Parameter kept: 0...1.
  func updateAverage(keeping kept: Float)

  /// A copy of the average, under the names of `parameters()`; nil if none was started.
  func average() throws -> Parameters?

  /// Goes on from a checkpoint: the next steps have the same bits as if training had not stopped.
  ///
  /// - Throws: if an array is missing or has another shape.
  func restore(
    _ parameters: Parameters, optimizerState: [String: Parameters.Array], updateCount: Int
  ) throws
}
