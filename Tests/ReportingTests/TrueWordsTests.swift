import Scoring
import TestSupport
import Testing

@testable import Reporting

/// A score whose confusion matrix has these cells: truth, predicted, images.
private func score(_ cells: [(Int, Int, Int)], classes: Int, groups: [String]? = nil) throws -> Score {
  var tally = Tally(classes: (0..<classes).map { "k\($0)" })
  var image = 0
  for (truth, predicted, count) in cells {
    for _ in 0..<count {
      let row = (0..<classes).map { $0 == predicted ? 0.9 : 0.1 / Double(max(1, classes - 1)) }
      try tally.add("\(image).jpg", truth: truth, probabilities: row.span)
      image += 1
    }
  }
  return tally.score(ScoreOptions(draws: 20, groups: groups))
}

/// Classes in blocks, each taken for every other of its block once.
private func blocks(of size: Int, classes: Int) -> [(Int, Int, Int)] {
  var cells: [(Int, Int, Int)] = []
  for a in 0..<classes {
    for place in 0..<size { cells.append((a, a / size * size + place, place == a % size ? 5 : 1)) }
  }
  return cells
}

@Suite("What a report says at the extremes is true")
struct TrueWordsTests {
  private func page(_ score: Score) throws -> String { try ScoreReport(score).html() }

  @Test("no class is called the weakest where all images are right, and no legend counts errors")
  func allRight() throws {
    let score = try score([(0, 0, 3), (1, 1, 2)], classes: 2)
    let page = try page(score)
    #expect(!page.contains("Weakest class") && page.contains("There are no errors."))
    #expect(page.contains("Errors: none") && page.contains("Right: 1 to 3 images in a cell"))
    #expect(!score.markdown().contains("orst classes") && !score.markdown().contains("onfusions"))
  }

  @Test("few pairs of classes are not called the worst of many")
  func fewPairs() throws {
    let one = try page(try score([(0, 0, 3), (1, 0, 2)], classes: 3))
    #expect(one.contains("k0 and k1: 2 errors. No other classes are confused."))
    #expect(one.contains("1 pair of classes is confused."))
    let tied = try page(try score([(0, 1, 1), (1, 2, 1), (2, 0, 1), (0, 0, 2)], classes: 3))
    #expect(tied.contains("k0 and k1: 1 error, as many as 2 other pairs. 3 pairs are confused in all."))
    #expect(tied.contains("Errors: 1 image in a cell"))
    for page in [one, tied] {
      #expect(
        !page.contains("of all errors all") && !page.contains("worst pairs")
          && !page.contains("together make"))
    }
    var cells = [(0, 0, 1), (6, 0, 4)]
    for a in 0..<7 { for b in 0..<a { cells.append((a, b, 1)) } }
    let many = try page(try score(cells, classes: 7))
    #expect(many.contains("k0 and k6: 5 errors. The first 20 of 21 pairs have 96.0\u{A0}% of all errors."))
  }

  @Test("classes that are equally weak are counted")
  func tiedClasses() throws {
    let page = try page(try score([(0, 1, 2), (1, 0, 2), (2, 2, 1)], classes: 3))
    #expect(page.contains("Weakest classes") && page.contains(", as in 1 other class."))
  }

  @Test(
    "groups that were found are told only where they are small and hold more errors than chance would put there"
  )
  func foundGroups() throws {
    // Six groups of four classes; all errors stay inside.
    let small = blocks(of: 4, classes: 24)
    let told = try score(small, classes: 24)
    #expect(try page(told).contains("100.0\u{A0}% of the errors stay inside groups of classes"))
    #expect(told.hasTellingGroups)
    // Pairs that were each confused once: any clustering keeps most of them inside.
    var sparse = (0..<40).map { ($0, $0, 3) }
    for a in stride(from: 0, to: 40, by: 2) { sparse.append((a, a + 1, 1)) }
    #expect(!(try score(sparse, classes: 40)).hasTellingGroups)
    // Two groups, each of half of all classes.
    let large = blocks(of: 5, classes: 10)
    let untold = try score(large, classes: 10)
    #expect(untold.groups?.groups.count ?? 0 > 1)
    let text = try page(untold)
    #expect(!text.contains("of the errors stay") && !text.contains("id=\"groups\""))
    let given = try score(large, classes: 10, groups: (0..<10).map { $0 < 5 ? "x" : "y" })
    #expect(try page(given).contains("100.0\u{A0}% of the errors stay inside the given groups."))
  }

  @Test("one image is one image")
  func oneImage() throws {
    let score = try score([(0, 1, 1)], classes: 2)
    #expect(score.markdown().contains("1 image: 1 scored, 0 invalid, 0 missing; 0 unexpected outputs."))
    #expect(score.markdown().contains("### Confusions, of 1 error\n"))
    #expect(!(try page(score)).contains("1 images"))
  }

  @Test("a confidence that fits on average only is not called one to be believed")
  func confidence() throws {
    var tally = Tally(classes: ["a", "b"])
    for image in 0..<100 {
      // Sure and wrong as often as unsure and right.
      let isSure = image < 50
      let row = isSure ? [0.95, 0.05] : [0.55, 0.45]
      let isRight = isSure ? image % 2 == 0 : true
      try tally.add("\(image)", truth: isRight ? 0 : 1, probabilities: row.span)
    }
    let score = tally.score()
    #expect(score.confidenceVerdict == .fitsOnAverage)
    let page = try page(score)
    #expect(page.contains("it is too sure of some images and not sure enough of others."))
    #expect(!page.contains("its confidence can be believed"))
  }

  @Test("two runs that are equal show no difference that could be chance")
  func equalRuns() throws {
    let run = try score([(0, 0, 3), (1, 0, 2)], classes: 2)
    let comparison = Comparison(run, run)
    #expect(comparison.markdown().contains("p = 1.0000, no difference."))
    let page = try ComparisonReport(comparison, a: run, b: run).html()
    #expect(page.contains("Each class has the same images right in both runs."))
    #expect(!page.contains("beyond chance"))
  }

  @Test("the script of the page leaves out what is null, instead of writing the word")
  func script() {
    let script = String(decoding: PackageResources.page_js, as: UTF8.self)
    for part in script.split(separator: "card.replaceChildren(").dropFirst() {
      let call = part.prefix { $0 != ";" }
      #expect(!call.contains(": null") || call.hasPrefix("...given(["), "\(call)")
    }
  }
}
