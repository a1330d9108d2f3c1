public import Models

/// How weights follow their gradients: MXNet's optimisers, with their formulas. Gradients are means over a batch; decay
/// concerns weights and gammas only, not biases and betas.
public enum Optimizer: Hashable, Sendable, Codable {
  /// v = momentum v - rate (g + decay w); w += v.
  case sgd(momentum: Double, weightDecay: Double)
  /// The same, and w += momentum v - rate (g + decay w): Nesterov's.
  case nag(momentum: Double, weightDecay: Double)
  /// Kingma & Ba, "Adam", 2015.
  case adam(beta1: Double, beta2: Double, epsilon: Double)
  /// Tieleman & Hinton, 2012: the gradient over the root of its mean square.
  case rmsprop(gamma: Double, epsilon: Double)
}

/// What one step of training found, and how long its parts took.
public struct TrainingStep: Hashable, Sendable {
  /// Mean cross-entropy an image, in nats; with many labels the mean over an image's outputs.
  public var loss: Double
  public var forward: Duration, backward: Duration, update: Duration

  public init(
    loss: Double, forward: Duration = .zero, backward: Duration = .zero, update: Duration = .zero
  ) {
    self.loss = loss
    self.forward = forward
    self.backward = backward
    self.update = update
  }
}

/// What training asks of whatever computes: `Trainer` on this machine.
public protocol TrainingEngine: AnyObject {
  /// Channels, height, width.
  var inputShape: [Int] { get }
  var outputCount: Int { get }

  /// Forward, backward, update.
  ///
  /// - Parameters:
  ///   - images: `count` tensors of `inputShape`, one after the other (NCHW).
  ///   - targets: `count * outputCount` numbers: a probability for each class; or 0 and 1 where labels are many.
  ///   - outputs: gets the probabilities, made before the update.
  func step(
    _ images: Span<Float>, targets: Span<Float>, count: Int, learningRate: Double,
    outputs: inout MutableSpan<Float>
  ) throws -> TrainingStep

  /// A copy of weights and moving statistics, under their names.
  func parameters() throws -> Parameters

  /// What else a checkpoint needs: the optimiser's arrays ("momentum:NAME", "mean:NAME", "variance:NAME") and how many
  /// updates were made.
  func optimizerState() throws -> (arrays: [String: Parameters.Array], updateCount: Int)

  /// Keeps a moving average of weights and moving statistics from now on, which begins with these.
  ///
  /// - Throws: where an array is missing or has another shape.
  func startAverage(_ parameters: Parameters) throws

  /// average = kept * average + (1 - kept) * what is now; nothing where none was started.
  func updateAverage(keeping kept: Float)

  /// A copy of the average, under the names of `parameters`; nil where none was started.
  func average() throws -> Parameters?

  /// Goes on from there as if nothing had been between.
  ///
  /// - Throws: where an array is missing or has another shape.
  func restore(
    _ parameters: Parameters, optimizerState: [String: Parameters.Array], updateCount: Int
  ) throws
}
