import Foundation
import TestSupport
import Testing

@testable import Scoring

@Suite("The temperature that fits best")
struct TemperatureTests {
  /// Rows of a made-up model, each with its true label.
  struct Model: CustomTestStringConvertible, Sendable {
    let testDescription: String
    var rows: [[Double]] = []
    var truths: [Int] = []

    /// Rows from wide to narrow, of which `share` have a label drawn from the row itself, the others any label.
    static func drawn(
      _ name: String, seed: UInt64, classes: Int, images: Int, power: Double, share: Double,
      value: (Double) -> Double = { $0 }
    ) -> Model {
      var model = Model(testDescription: name)
      var generator = SplitMix64(seed: seed)
      for _ in 0..<images {
        let weights = (0..<classes).map { _ in pow(Double.random(in: 0.001...1, using: &generator), power) }
        let sum = weights.reduce(0, +)
        let row = weights.map { $0 / sum }
        var (truth, rest) = (0, Double.random(in: 0..<1, using: &generator))
        while truth < classes - 1, rest >= row[truth] {
          rest -= row[truth]
          truth += 1
        }
        let isDrawn = Double.random(in: 0..<1, using: &generator) < share
        model.truths.append(isDrawn ? truth : Int.random(in: 0..<classes, using: &generator))
        model.rows.append(row.map(value))
      }
      return model
    }

    var tally: Tally {
      get throws {
        var tally = Tally(classes: (0..<(rows.first?.count ?? 0)).map { "\($0)" })
        for (image, row) in rows.enumerated() {
          try tally.add("\(image)", truth: truths[image], row: row)
        }
        return tally
      }
    }
  }

  /// Likelihood, slope and curvature at `inverse`, one value after the other.
  private func plain(_ model: Model, _ inverse: Double) -> (value: Double, slope: Double, curvature: Double) {
    var sums = (value: 0.0, slope: 0.0, curvature: 0.0)
    for (row, truth) in zip(model.rows, model.truths) {
      let total = row.reduce(0, +)
      let divisor = abs(total - 1) > 1e-3 ? total : 1
      let logs = row.map { log(max(total == 0 ? 1 / Double(row.count) : $0 / divisor, Double.ulpOfOne)) }
      let top = logs.max() ?? 0
      var (weight, first, second) = (0.0, 0.0, 0.0)
      for z in logs {
        let w = exp(inverse * (z - top))
        weight += w
        first += w * (z - top)
        second += w * (z - top) * (z - top)
      }
      let mean = first / weight
      sums.value += log(weight) - inverse * (logs[truth] - top)
      sums.slope += mean - (logs[truth] - top)
      sums.curvature += second / weight - mean * mean
    }
    let count = Double(model.rows.count)
    return (sums.value / count, sums.slope / count, sums.curvature / count)
  }

  /// By Newton's method inside a bracket; `nil` where there is no minimum from 0.01 to 100.
  private func plainMinimum(_ model: Model) -> Double? {
    var (low, high) = (0.01, 100.0)
    guard plain(model, low).slope < 0, plain(model, high).slope > 0 else { return nil }
    var inverse = 1.0
    for _ in 0..<60 {
      let here = plain(model, inverse)
      if here.slope > 0 { high = inverse } else { low = inverse }
      let next = inverse - here.slope / here.curvature
      if abs(next - inverse) < 1e-14 * inverse { return next }
      inverse = next > low && next < high ? next : (low * high).squareRoot()
    }
    return inverse
  }

  static let models: [Model] = [
    .drawn("calibrated", seed: 1, classes: 8, images: 1_200, power: 3, share: 1),
    .drawn("too sure", seed: 2, classes: 17, images: 1_500, power: 6, share: 0.3),
    .drawn("next to hopeless", seed: 3, classes: 16, images: 1_500, power: 9, share: 0.2),
    .drawn("few images", seed: 4, classes: 5, images: 40, power: 2, share: 0.8),
    .drawn("two classes", seed: 5, classes: 2, images: 700, power: 2, share: 0.9),
    .drawn("too flat", seed: 6, classes: 9, images: 700, power: 3, share: 1) { $0 * 0.1 + 0.1 },
    .drawn("sums that are not 1", seed: 7, classes: 7, images: 900, power: 3, share: 0.7) { $0 * 40 },
    .drawn("zeros and ones", seed: 8, classes: 6, images: 600, power: 3, share: 0.9) {
      $0 < 0.2 ? 0 : $0 > 0.6 ? 1 : $0
    },
    .drawn("only zeros and ones", seed: 9, classes: 4, images: 600, power: 6, share: 1) {
      $0 < 0.5 ? 0 : 1
    },
  ]

  @Test("is that of a plain double loop within 1e-12, and so are both likelihoods", arguments: models)
  func minimum(_ model: Model) throws {
    let fitted = try #require(model.tally.score(ScoreOptions(draws: 0)).calibration?.temperature)
    let inverse = try #require(plainMinimum(model))
    #expect(abs(fitted.value * inverse - 1) < 1e-12)
    let (before, after) = (plain(model, 1).value, plain(model, inverse).value)
    #expect(abs(fitted.before / before - 1) < 1e-12)
    #expect(abs(fitted.after / after - 1) < 1e-12)
  }

  @Test(
    "is none where the likelihood rises or falls from 0.01 to 100, or is the same everywhere",
    arguments: [
      .drawn("hopeless", seed: 11, classes: 16, images: 1_500, power: 9, share: 0),
      .drawn("hopeless, few images", seed: 12, classes: 20, images: 30, power: 9, share: 0),
      .drawn("a little too flat for 1/100", seed: 13, classes: 2, images: 1_000, power: 1, share: 1) {
        $0 * 1e-4 + 0.49995
      },
      Model(testDescription: "perfect", rows: [[0.9, 0.1], [0.2, 0.8]], truths: [0, 1]),
      Model(testDescription: "always wrong", rows: [[0.9, 0.1], [0.2, 0.8]], truths: [1, 0]),
      Model(testDescription: "uniform", rows: [[0.5, 0.5], [0, 0]], truths: [1, 0]),
      Model(testDescription: "one class", rows: [[1], [0.5]], truths: [0, 0]),
      Model(testDescription: "one row, right", rows: [[0.6, 0.4]], truths: [0]),
      Model(testDescription: "one row, wrong", rows: [[0.6, 0.4]], truths: [1]),
    ] as [Model])
  func none(_ model: Model) throws {
    let score = try model.tally.score(ScoreOptions(draws: 0))
    #expect(score.calibration?.temperature == nil)
    if model.rows[0].count > 1 { #expect(plainMinimum(model) == nil) }
  }

  @Test(
    "takes at most two passes over all rows, and one where the model has learnt nothing",
    arguments: [(1, 2), (0.3, 2), (0.1, 2), (0, 1)])
  func passes(_ share: Double, _ limit: Int) throws {
    let model = Model.drawn("", seed: 21, classes: 8, images: 8_200, power: 9, share: share)
    let tally = try model.tally
    var fit = TemperatureFit(rows: tally.rows, columns: tally.columns)
    _ = try fit.best(order: tally.columns.pathOrder())
    // The samples have 2,307 rows together, and are read up to three times.
    #expect(fit.readRowCount < (limit + 1) * model.rows.count)
  }

  @Test("has the same bits for every number of jobs", arguments: 1...4)
  func jobs(_ jobs: Int) async throws {
    let model = Model.drawn("", seed: 31, classes: 17, images: 1_500, power: 6, share: 0.3)
    let alone = try model.tally.score(ScoreOptions(draws: 0)).calibration?.temperature
    let shared = try await model.tally.score(ScoreOptions(draws: 0), jobs: jobs).calibration?.temperature
    #expect(alone != nil && shared == alone)
  }
}
