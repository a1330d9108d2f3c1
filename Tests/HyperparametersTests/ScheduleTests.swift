import Testing

@testable import Hyperparameters

private func schedule(_ pairs: [String: String], updatesPerEpoch: Int) throws -> Schedule {
  Schedule(
    try HyperparameterSet(pairs.map { (name: $0.key, value: $0.value) }, isComplete: false),
    updatesPerEpoch: updatesPerEpoch)
}

@Suite struct ScheduleTests {
  @Test("steps are MXNet's MultiFactorScheduler's, to the bit")
  func steps() throws {
    let steps = try schedule(
      ["learning_rate": "0.1", "lr_scheduler_factor": "0.3", "lr_scheduler_step": "2,3", "epochs": "4"],
      updatesPerEpoch: 3)
    // mx.lr_scheduler.MultiFactorScheduler(step=[6, 9], factor=0.3, base_lr=0.1)
    #expect(
      (1...12).map(steps.learningRate) == [
        0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.03, 0.03, 0.03, 0.009, 0.009, 0.009,
      ])
    let warm = try schedule(
      ["lr_scheduler_step": "2,3", "epochs": "4", "warmup_epochs": "1"], updatesPerEpoch: 3)
    // The same with factor=0.1, warmup_steps=3.
    #expect(
      (1...12).map(warm.learningRate) == [
        0.03333333333333333, 0.06666666666666667, 0.1, 0.1, 0.1, 0.1, 0.010000000000000002,
        0.010000000000000002,
        0.010000000000000002, 0.0010000000000000002, 0.0010000000000000002, 0.0010000000000000002,
      ])
  }

  @Test("without a schedule the rate stays")
  func constant() throws {
    let constant = try schedule(["learning_rate": "0.25"], updatesPerEpoch: 7)
    #expect([1, 7, 8, 210, 10_000].map(constant.learningRate) == [0.25, 0.25, 0.25, 0.25, 0.25])
  }

  @Test("cosine is MXNet's CosineScheduler")
  func cosine() throws {
    let cosine = try schedule(
      ["learning_rate": "0.2", "lr_schedule": "cosine", "epochs": "4", "warmup_epochs": "1"],
      updatesPerEpoch: 3)
    // mx.lr_scheduler.CosineScheduler(max_update=12, base_lr=0.2, final_lr=0, warmup_steps=3)
    let expected = [
      0.06666666666666667, 0.13333333333333333, 0.2, 0.19396926207859086, 0.1766044443118978,
      0.15000000000000002,
      0.11736481776669305, 0.08263518223330697, 0.050000000000000024, 0.023395555688102213,
      0.006030737921409169, 0,
    ]
    for (update, rate) in zip(1..., expected) {
      #expect(abs(cosine.learningRate(update: update) - rate) < 1e-15)
    }
    #expect(cosine.learningRate(update: 100) == 0)
  }

  @Test("one cycle rises to the rate and falls to nearly nothing")
  func oneCycle() throws {
    let cycle = try schedule(
      ["learning_rate": "0.5", "lr_schedule": "one_cycle", "epochs": "10"], updatesPerEpoch: 10)
    let rates = (0...100).map(cycle.learningRate)
    #expect(abs(rates[0] - 0.02) < 1e-12 && abs(rates[30] - 0.5) < 1e-12 && abs(rates[100] - 2e-6) < 1e-12)
    #expect(zip(rates[..<31], rates[1..<31]).allSatisfy { $0 < $1 })
    #expect(zip(rates[30...], rates[31...]).allSatisfy { $0 > $1 })
    let early = try schedule(
      ["learning_rate": "0.5", "lr_schedule": "one_cycle", "epochs": "10", "warmup_epochs": "1"],
      updatesPerEpoch: 10)
    #expect(abs(early.learningRate(update: 10) - 0.5) < 1e-12)
  }

  @Test("more epochs than can be counted are no trap")
  func overflow() throws {
    let steps = try schedule(["lr_scheduler_step": "9223372036854775807"], updatesPerEpoch: 100)
    #expect(steps.learningRate(update: 1_000_000) == 0.1)
  }
}
