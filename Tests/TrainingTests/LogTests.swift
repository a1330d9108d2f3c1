import Testing

@testable import Hyperparameters
@testable import Training

@Suite struct LogTests {
  private var record: EpochRecord {
    var record = EpochRecord()
    record.epoch = 0
    record.trainAccuracy = 0.150390625
    record.validationAccuracy = 0.25390625
    record.seconds = 8.0951
    return record
  }

  @Test("the lines are SageMaker's")
  func lines() {
    let log = TrainingLog(hasTime: false)
    var sums = MetricSums()
    let outputs: [Float] = [1, 0, 1, 0, 1, 0]
    sums.add(outputs.span, targets: [1, 0, 1, 0, 0, 1].span, count: 3, width: 2, isMultiLabel: false, top: 2)
    #expect(
      log.lines(.trained(record)) == ["Epoch[0] Train-accuracy=0.150391", "Epoch[0] Time cost=8.095"])
    #expect(log.lines(.validated(record)) == ["Epoch[0] Validation-accuracy=0.253906"])
    #expect(log.lines(.best(record)) == ["Storing the best model with validation accuracy: 0.253906"])
    #expect(
      log.lines(.stored(path: "/opt/ml/model/image-classification-0001.params"))
        == [#"Saved checkpoint to "/opt/ml/model/image-classification-0001.params""#])
    #expect(
      log.lines(.speed(epoch: 1, batch: 20, imagesPerSecond: 20.1649, sums: sums))
        == ["Epoch[1] Batch [20]\tSpeed: 20.16 samples/sec\taccuracy=0.666667"])
  }

  @Test("with top k a second accuracy is logged")
  func top() {
    let log = TrainingLog(hasTime: false, topK: 2)
    var record = record
    record.trainTopAccuracy = 0.2734375
    record.validationTopAccuracy = 0.5
    #expect(
      log.lines(.trained(record)) == [
        "Epoch[0] Train-accuracy=0.150391", "Epoch[0] Train-top_k_accuracy_2=0.273438",
        "Epoch[0] Time cost=8.095",
      ])
    #expect(log.lines(.validated(record)).last == "Epoch[0] Validation-top_k_accuracy_2=0.500000")
  }

  @Test("in a container each line begins with time, level and thread")
  func stamped() throws {
    let line = try #require(TrainingLog(hasTime: true).lines(.best(record)).first)
    #expect(
      line.firstMatch(
        of: #/^\[\d\d/\d\d/20\d\d \d\d:\d\d:\d\d INFO \d+\] Storing the best model with /#) != nil,
      "\(line)")
    let failure = try #require(TrainingLog(hasTime: true).failure("no data").first)
    #expect(failure.firstMatch(of: #/ ERROR \d+\] Customer Error: no data$/#) != nil, "\(failure)")
  }

  @Test("the block of parameters stands between dashes")
  func block() {
    let log = TrainingLog(hasTime: false)
    #expect(
      log.parameterBlock(["num_layers: 18", "epochs: 2"]) == [
        "---- Parameters ----", "num_layers: 18", "epochs: 2", "--------------------",
      ])
  }

  @Test(
    "numbers as C's printf",
    arguments: [
      (0.25390625, 6, "0.253906"), (1, 6, "1.000000"), (0, 6, "0.000000"), (8.0951, 3, "8.095"),
      (1234.5678, 2, "1234.57"), (-0.5, 1, "-0.5"), (.nan, 6, "nan"), (.infinity, 6, "inf"),
      (2.5e-7, 6, "0.000000"),
    ])
  func numbers(_ row: (value: Double, decimals: Int, text: String)) {
    #expect(fixed(row.value, row.decimals) == row.text)
  }
}
