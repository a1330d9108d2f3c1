import Hyperparameters
import TestSupport
import Testing

@testable import Reporting

@Suite struct TrainingPageTests {
  static func report(_ count: Int) -> TrainingReport {
    var report = TrainingReport()
    for number in 0..<count {
      var epoch = EpochRecord()
      epoch.epoch = number
      epoch.trainLoss = 3 / Double(number + 1)
      epoch.validationLoss = 3.2 / Double(number + 1) + Double(number) / 20
      epoch.trainAccuracy = 1 - 1 / Double(number + 1)
      epoch.validationAccuracy = 0.8 - 0.8 / Double(number + 1)
      epoch.validationImages = 400
      epoch.learningRate = 0.1 / Double(number + 1)
      epoch.imagesPerSecond = 30
      epoch.seconds = 40
      epoch.dataSeconds = 1
      epoch.forwardSeconds = 12
      epoch.backwardSeconds = 25
      epoch.updateSeconds = 1
      epoch.validationSeconds = 5
      report.epochs.append(epoch)
    }
    report.bestEpoch = count > 0 ? count - 1 : nil
    report.epochCount = count
    report.hyperparameters = [("num_layers", "18"), ("augmentation_type", "<script>")]
    report.details = [("Training images", "a\"><b>.rec (\u{202E}9)")]
    return report
  }

  @Test("says what was reached, when, and where the time went", arguments: [2, 10, 130])
  func figures(_ count: Int) throws {
    let html = Self.report(count).html()
    let best = 0.8 - 0.8 / Double(count)
    #expect(html.contains(">\(decimal(100 * best, 1))<span>%</span>"))
    #expect(html.contains("the best was epoch \(count - 1): of the 400 validation images"))
    #expect(html.contains("Still rising"))
    for id in ["accuracy", "loss", "rate", "speed", "time-chart"] { #expect(html.contains("id=\"\(id)\"")) }
    #expect(html.contains("Data</th>\n<td>waiting for images</td>"))
    #expect(html.contains("2.50\u{A0}%"), "a fortieth is spent on waiting")
    let rows = html.components(separatedBy: "<th scope=\"row\">\(count - 1) (best)").count
    #expect(rows == 2, "the best epoch has one row")
  }

  @Test("no name can become markup, and nothing is asked of anybody")
  func safe() {
    let html = Self.report(3).html()
    // The page's own data and script.
    #expect(html.components(separatedBy: "<script").count == 3 && html.contains("&lt;script&gt;"))
    #expect(!html.contains("\"><b>"))
    #expect(!html.contains("\u{202E}"))
    #expect(html.contains("default-src 'none'") && !html.contains("://"))
    #expect(html == Self.report(3).html())
  }

  @Test("without any epoch there is still a page, with the hyperparameters")
  func empty() {
    let html = Self.report(0).html()
    #expect(html.contains("No epoch was finished") && html.contains("num_layers"))
  }

  @Test("numbers that are none leave a gap, not a fault")
  func notFinite() {
    var report = Self.report(4)
    report.epochs[2].trainLoss = .infinity
    report.epochs[3].validationLoss = .nan
    #expect(report.html().contains("id=\"loss\""))
  }

  @Test("overfitting is said", arguments: [(0.99, true), (0.62, false)])
  func gap(_ row: (train: Double, isSaid: Bool)) {
    var report = Self.report(3)
    report.epochs[2].trainAccuracy = row.train
    report.epochs[2].validationAccuracy = 0.6
    #expect(report.html().contains("the network overfits. More images") == row.isSaid)
  }
}
