import Hyperparameters
import Networks

extension HyperparameterSet {
  /// The optimizer that these hyperparameters describe.
  var mxnetOptimizer: Optimizer {
    switch optimizer {
    case .sgd: .sgd(momentum: momentum, weightDecay: weightDecay)
    case .nag: .nag(momentum: momentum, weightDecay: weightDecay)
    case .adam: .adam(beta1: beta1, beta2: beta2, epsilon: eps)
    case .rmsprop: .rmsprop(gamma: gamma, epsilon: eps)
    }
  }
}
