import Foundation
import Imaging
import Scoring
import TestSupport
import Testing

@testable import Reporting

@Suite("What an HTML report says")
struct PageContentTests {
  @Test("without images: that there are none, and no figure")
  func empty() throws {
    for classes in [[], ["only"], ["a", "b"]] {
      let page = try ScoreReport(Tally(classes: classes).score()).html()
      #expect(page.contains("There are no images"))
      #expect(page.contains("0 images = 0 scored + 0 invalid + 0 missing"))
      #expect(!page.contains("NaN") && !page.contains("inf "))
    }
  }

  @Test("where no image could be scored: why, each by its name")
  func unscored() throws {
    var tally = Tally(classes: ["a", "b"])
    tally.addInvalid("bad.jpg", reason: "byte 3: a number is expected")
    tally.addMissing("gone.jpg")
    tally.addUnexpected("other.jpg")
    let page = try ScoreReport(tally.score()).html()
    for words in [
      "None of the 2 images could be scored", "2 images = 0 scored + 1 invalid + 1 missing", "bad.jpg",
      "byte 3: a number is expected", "gone.jpg", "other.jpg",
    ] { #expect(page.contains(words), "\(words)") }
  }

  @Test("with labels but no probabilities: what can be computed, and what was left out")
  func hard() throws {
    let score = try plainScore(classes: 5, images: 60, isHard: true)
    let page = try ScoreReport(score).html()
    for id in ["reliability", "coverage", "ranks", "errors-table", "labels-table"] {
      #expect(!page.contains("id=\"\(id)\""), "\(id)")
    }
    #expect(page.contains("60 outputs gave a class without probabilities"))
    for item in score.omitted {
      #expect(page.contains("<bdi>\(item.metric)") || page.contains(">\(item.metric)<"))
    }
  }

  @Test("doubts of labels: where to look, and of a weak model that they are mostly its mistakes")
  func doubts() throws {
    var score = try plainScore(classes: 5, images: 60)
    for (count, words) in [
      (6, "the first place to look for wrong ones."), (7, "so many are mostly its own mistakes."),
    ] {
      score.labelIssues = LabelIssues(method: "prune_by_noise_rate", count: count, images: [])
      #expect(try ScoreReport(score).html().contains(words))
    }
  }

  @Test("of one class: a page without comparisons of classes")
  func oneClass() throws {
    var tally = Tally(classes: ["only"])
    for image in 0..<4 { try tally.add("\(image).jpg", truth: 0, predicted: 0) }
    let page = try ScoreReport(tally.score()).html()
    #expect(page.contains("Of 4 scored images, 4 are classified correctly."))
    #expect(!page.contains("id=\"pairs\"") && !page.contains("NaN"))
  }

  @Test("of a whole run: each figure, class, pair, bin and gate")
  func everything() throws {
    var score = try plainScore(classes: 12, images: 500)
    score.gates = score.evaluate(try Gate.parse("top1=0.99,macro_f1=0.1", classes: []))
    score.details = [Detail("Outputs", "out/"), Detail("Program", "imrec 1")]
    let page = try ScoreReport(score).html()
    for estimate in [score.top1, score.top2, score.top5, score.bootstrap?.macroF1] {
      let estimate = try #require(estimate)
      #expect(page.contains(percent(estimate.value)) && page.contains(range(estimate, 1)))
    }
    for item in score.classes {
      let row = try #require(
        page.split(separator: "<tr id=\"c\(item.label)\">").dropFirst().first?.prefix(2_000))
      for text in [
        item.name, percent(item.recall.value), range(item.recall, 1), percent(item.precision),
        range(item.precisionInterval, 1), percent(item.f1), percent(item.averagePrecision ?? -1),
      ] { #expect(row.contains(text), "\(item.name): \(text)") }
    }
    for pair in score.pairs { #expect(page.contains(percent(pair.cumulative))) }
    for bin in score.calibration?.equalWidth ?? [] {
      if let accuracy = bin.accuracy { #expect(page.contains(percent(accuracy.value))) }
    }
    #expect(page.contains("✗ failed") && page.contains("✓ passed") && page.contains("1 of 2 gates failed"))
    for error in (score.confidentErrors ?? []).prefix(ScorePage.imageRowLimit) {
      #expect(page.contains(error.path))
    }
  }

  @Test("of two runs: the test, the intervals, the classes and every flip")
  func comparison() throws {
    let (a, b) = (
      try plainScore(classes: 6, images: 200), try plainScore(classes: 6, images: 190, isHard: true)
    )
    let comparison = Comparison(a, b, ComparisonOptions(seed: 2, draws: 100))
    let page = try ComparisonReport(comparison, a: a, b: b).html()
    let difference = try #require(comparison.top1Difference)
    #expect(page.contains("\(points(difference.low)) to \(points(difference.high))"))
    #expect(page.contains("Scored by A only"))
    for flip in comparison.flips { #expect(page.contains(flip.path)) }
    for item in comparison.classes { #expect(page.contains("id=\"c\(item.label)\"") || item.support == 0) }
    let joined = PairedConfusion(a, b)
    #expect(joined.a.reduce(0) { $0 + $1.count } == comparison.images)
    #expect(joined.a.filter { $0.truth == $0.predicted }.reduce(0) { $0 + $1.count } == comparison.a.correct)
    #expect(joined.b.filter { $0.truth == $0.predicted }.reduce(0) { $0 + $1.count } == comparison.b.correct)
  }

  @Test(
    "by colours whose lightness goes one way only",
    arguments: [
      (Ramp.errorsOnLight, false), (.rightOnLight, false), (.errorsOnDark, true), (.rightOnDark, true),
    ])
  func ramps(_ ramp: Ramp, _ rises: Bool) {
    let lightness = (0..<Ramp.stepCount).map { step -> Double in
      let color = ramp.color(Double(step) / Double(Ramp.stepCount - 1))
      let parts = [16, 8, 0].map { shift -> Double in
        let part = Double(color >> UInt32(shift) & 0xFF) / 255
        return part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4)
      }
      return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    }
    for (one, next) in zip(lightness, lightness.dropFirst()) { #expect(rises ? next > one : next < one) }
    let style = String(decoding: PackageResources.page_css, as: UTF8.self)
    for color in ramp.steps { #expect(style.contains("fill:\(color)}"), "the legend has \(color)") }
  }

  @Test("by a picture of the matrix that has each cell at its place, in its colour")
  func picture() throws {
    let cells = [
      ConfusionCell(truth: 0, predicted: 0, count: 9), ConfusionCell(truth: 0, predicted: 2, count: 1),
      ConfusionCell(truth: 2, predicted: 1, count: 4),
    ]
    let png = try MatrixPicture(cells: cells, order: [2, 0, 1]).png(
      errors: .errorsOnLight, right: .rightOnLight)
    var options = DecodeOptions()
    options.color = .unchanged
    let pixels = try decode(png.span, options)
    #expect((pixels.width, pixels.height, pixels.channels) == (3, 3, 4))
    let samples = pixels.withBytes { bytes in
      (0..<36).map { unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    }
    func color(_ row: Int, _ column: Int) -> UInt32? {
      let at = (row * 3 + column) * 4
      guard samples[at + 3] == 255 else { return nil }
      return UInt32(samples[at]) << 16 | UInt32(samples[at + 1]) << 8 | UInt32(samples[at + 2])
    }
    #expect(color(1, 1) == Ramp.rightOnLight.color(1))
    #expect(color(1, 0) == Ramp.errorsOnLight.color(0))
    #expect(color(0, 2) == Ramp.errorsOnLight.color(1))
    for (row, column) in [(0, 0), (0, 1), (1, 2), (2, 0), (2, 1), (2, 2)] {
      #expect(color(row, column) == nil)
    }
  }
}
