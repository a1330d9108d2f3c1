import Testing

@testable import Hyperparameters
@testable import Training

@Suite struct MetricTests {
  @Test("accuracy, top k and loss of two images")
  func sums() {
    var sums = MetricSums()
    let outputs: [Float] = [0.5, 0.25, 0.25, 0.25, 0.5, 0.25]
    let targets: [Float] = [1, 0, 0, 0, 0, 1]
    sums.add(outputs.span, targets: targets.span, count: 2, width: 3, isMultiLabel: false, top: 2)
    #expect(sums.accuracy == 0.5 && sums.images == 2)
    // The third of the second image stands behind its equal: not among two.
    #expect(sums.topAccuracy == 0.5)
    #expect(abs(sums.meanLoss - (0.693_147 + 1.386_294) / 2) < 1e-6)
  }

  @Test("smoothed and mixed targets count as their larger part")
  func soft() {
    var sums = MetricSums()
    let outputs: [Float] = [0.2, 0.8, 0.9, 0.1]
    let targets: [Float] = [0.3, 0.7, 0.4, 0.6]
    sums.add(
      outputs.span, targets: targets.span, count: 2, width: 2, isMultiLabel: false, top: nil, loss: 3)
    #expect(sums.correct == 1 && sums.loss == 3)
  }

  @Test("with several labels every output is a decision")
  func multiLabel() {
    var sums = MetricSums()
    let outputs: [Float] = [0.9, 0.6, 0.1, 0.4]
    let targets: [Float] = [1, 0, 0, 1]
    sums.add(outputs.span, targets: targets.span, count: 2, width: 2, isMultiLabel: true, top: nil)
    #expect(sums.accuracy == 0.5 && sums.decisions == 4 && sums.images == 2)
    #expect(abs(sums.loss - (0.105_361 + 0.916_291 + 0.105_361 + 0.916_291) / 2) < 1e-5)
    var weighted = MetricSums()
    weighted.add(
      outputs.span, targets: targets.span, count: 2, width: 2, isMultiLabel: true, top: nil,
      positiveWeights: [3, 10])
    #expect(
      abs(weighted.loss - (3 * 0.105_361 + 0.916_291 + 0.105_361 + 10 * 0.916_291) / 2) < 1e-5)
  }

  @Test("NaN is never right, and shows in the loss")
  func notANumber() {
    var sums = MetricSums()
    let outputs: [Float] = [.nan, .nan]
    sums.add(outputs.span, targets: [1, 0].span, count: 1, width: 2, isMultiLabel: false, top: 1)
    #expect(sums.correct == 0 && sums.inTop == 0 && sums.loss.isNaN)
  }

  @Test(
    "early stopping waits for patience, tolerance and the least number of epochs",
    arguments: [
      (EarlyStopping(leastEpochs: 1, patience: 2, tolerance: 0), [0.1, 0.2, 0.2, 0.2], 4),
      (EarlyStopping(leastEpochs: 6, patience: 2, tolerance: 0), [0.1, 0.2, 0.2, 0.2, 0.2, 0.2], 6),
      (EarlyStopping(leastEpochs: 1, patience: 1, tolerance: 0.1), [0.5, 0.56, 0.6], 3),
      (EarlyStopping(leastEpochs: 1, patience: 2, tolerance: 0), [0.1, 0.1, 0.2, 0.1, 0.1], 5),
      (EarlyStopping(leastEpochs: 1, patience: 1, tolerance: 0), [0, 0], 2),
    ])
  func stopping(_ row: (rule: EarlyStopping, accuracies: [Double], end: Int)) {
    var state = EarlyStopping.State()
    let end = row.accuracies.indices.first {
      row.rule.isOver(after: $0 + 1, accuracy: row.accuracies[$0], &state)
    }
    #expect(end.map { $0 + 1 } == row.end)
  }

  @Test("a moving average follows at first quickly, then slowly")
  func average() {
    let average = MovingAverage(decay: 0.9)
    #expect(average.kept(updates: 1) == Float(2.0 / 11))
    #expect(average.kept(updates: 80) == 0.9 && average.kept(updates: 1000) == 0.9)
  }
}
