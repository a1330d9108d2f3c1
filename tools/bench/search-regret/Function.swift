import Glibc
import Search

/// A function to minimise, its least value, and the ranges of its parameters: those of search_functions.py.
struct Function: Sendable {
  let least: Double
  let parameters: @Sendable () throws(SearchError) -> [Parameter]
  let value: @Sendable ([ParameterValue]) -> Double

  static let all: [String: Function] = ["branin": branin, "hartmann6": hartmann6, "mixed": mixed]

  static let branin = Function(least: 0.39788735772973816) { () throws(SearchError) in
    [
      try Parameter(continuous: "x", from: -5, to: 10, scaling: .linear),
      try Parameter(continuous: "y", from: 0, to: 15, scaling: .linear),
    ]
  } value: { values in
    let (x, y) = (values[0].number, values[1].number)
    let bend = y - 5.1 / (4 * Double.pi * Double.pi) * x * x + 5 / Double.pi * x - 6
    return bend * bend + 10 * (1 - 1 / (8 * Double.pi)) * cos(x) + 10
  }

  static let hartmann6 = Function(least: -3.3223680114155147) { () throws(SearchError) in
    var parameters: [Parameter] = []
    for index in 0..<6 {
      parameters.append(try Parameter(continuous: "x\(index)", from: 0, to: 1, scaling: .linear))
    }
    return parameters
  } value: { values in
    var sum = 0.0
    for (weight, (scales, centres)) in zip([1, 1.2, 3, 3.2], zip(scales, centres)) {
      var exponent = 0.0
      for k in 0..<6 {
        let away = values[k].number - centres[k]
        exponent += scales[k] * away * away
      }
      sum += weight * exp(-exponent)
    }
    return -sum
  }

  private static let scales: [[Double]] = [
    [10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8],
    [17, 8, 0.05, 10, 0.1, 14],
  ]
  private static let centres: [[Double]] = [
    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886], [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650], [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
  ]

  /// A training's loss, made up: the best rate depends on the rule and on the batch, the best depth on the rule.
  static let mixed = Function(least: 0) { () throws(SearchError) in
    [
      try Parameter(continuous: "rate", from: 1e-6, to: 1, scaling: .logarithmic),
      try Parameter(integer: "batch", from: 8, to: 512, scaling: .logarithmic),
      try Parameter(integer: "depth", from: 1, to: 16, scaling: .linear),
      try Parameter(categorical: "rule", ["sgd", "nag", "adam", "rmsprop"]),
    ]
  } value: { values in
    let (offset, best, deep): (Double, Double, Double) =
      switch values[3].description {
      case "sgd": (0.10, -1, 6)
      case "nag": (0, -1.5, 9)
      case "adam": (0.05, -3, 4)
      default: (0.25, -3.5, 11)
      }
    let size = log2(values[1].number / 64)
    let away = log10(values[0].number) - best - 0.15 * size
    let depth = values[2].number - deep
    return offset + 1 - exp(-away * away / 2) + 0.03 * size * size + 0.02 * depth * depth
  }
}

extension ParameterValue {
  /// A number's value; 0 for a word.
  var number: Double {
    switch self {
    case .real(let number): number
    case .whole(let number): Double(number)
    case .choice: 0
    }
  }
}
