import Testing

@testable import Hyperparameters

@Suite("The record of an epoch")
struct EpochRecordTests {
  @Test("is read from a file that is written just now, and what is no epoch is passed over")
  func lines() throws {
    var epoch = EpochRecord()
    (epoch.trainLoss, epoch.validationTopAccuracy, epoch.shape) = (1.5, 0.25, [3, 28, 28])
    let line = try epoch.line()
    #expect(line.contains("\"train_loss\":1.5") && line.contains("\"validation_top_accuracy\":0.25"))
    func numbered(_ number: String) -> String { line.replacing("\"epoch\":0", with: "\"epoch\":\(number)") }
    let text = [
      line, "rubbish", "[1]", numbered("-1"), numbered("1e30"), numbered("9223372036854775807"), "",
      numbered("1"), String(numbered("2").dropLast()),
    ].joined(separator: "\n")
    let read = EpochRecord.read(Array(text.utf8))
    #expect(read.map(\.epoch) == [0, 1] && read.first == epoch)
    #expect(EpochRecord.read(Array(text.utf8), limit: 2).map(\.epoch) == [1])
  }

  @Test("with a figure that is not finite is not written")
  func infinite() {
    var epoch = EpochRecord()
    epoch.trainLoss = .nan
    #expect(throws: (any Error).self) { try epoch.line() }
  }
}
