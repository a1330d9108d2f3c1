import Models
import TestSupport
import Testing

@testable import Networks

@Suite("Whole residual networks") struct DepthTests {
  private struct Case: CustomTestStringConvertible {
    let depth: Int, version: ResNet.Version
    var input: [Int]
    /// All widths are divided by it.
    var divisor = 8
    var count = 1
    var testDescription: String { "\(depth) \(version) \(input) / \(divisor), \(count) images" }
  }

  private func expectAgreement(_ given: Case, plans: [Trial.Plan] = Trial.Plan.all) throws {
    let graph = try ResNet(
      depth: given.depth, version: given.version, classCount: 10, inputShape: given.input
    )
    .graph.narrowed(by: given.divisor).withoutSoftmax
    var random = SplitMix64(seed: 61)
    let trial = Trial(graph, Parameters(randomFor: graph, inputVariance: 1.0 / 3, using: &random))
    let images = random.floats(given.count * given.input.reduce(1, *))
    try trial.expectAgreement(images, count: given.count, plans: plans, tolerance: 1e-4)
  }

  @Test(
    "of every depth give what the reference engine gives",
    arguments: ResNet.largeDepths.flatMap { depth in
      ResNet.Version.allCases.map { Case(depth: depth, version: $0, input: [3, 40, 40]) }
    })
  private func large(_ given: Case) throws { try expectAgreement(given) }

  @Test(
    "for small images give what the reference engine gives",
    arguments: (ResNet.smallDepths + [164]).flatMap { depth in
      ResNet.Version.allCases.map {
        Case(depth: depth, version: $0, input: [3, 20, 28], divisor: depth > 100 ? 4 : 1)
      }
    })
  private func small(_ given: Case) throws { try expectAgreement(given) }

  @Test(
    "in full width, of odd sizes and other channels, give what the reference engine gives",
    arguments: [
      Case(depth: 18, version: .v2, input: [3, 97, 131], divisor: 2, count: 2),
      Case(depth: 50, version: .v1, input: [3, 97, 131], divisor: 4),
      Case(depth: 18, version: .v1, input: [1, 64, 64], divisor: 4, count: 5),
      Case(depth: 50, version: .v2, input: [4, 33, 47], divisor: 4, count: 2),
      Case(depth: 34, version: .v2, input: [16, 40, 33], divisor: 8, count: 2),
    ])
  private func odd(_ given: Case) throws { try expectAgreement(given) }

  @Test("of real width give what the reference engine gives")
  func real() throws {
    try expectAgreement(
      Case(depth: 18, version: .v2, input: [3, 64, 64], divisor: 1, count: 2),
      plans: [Trial.Plan(batch: 1, threads: 2), Trial.Plan(batch: 32, threads: 1)])
  }

  @Test("planned for any batch run any number of images", arguments: [1, 2, 3, 17, 32], 1...9)
  func batches(_ batch: Int, _ count: Int) throws {
    var maker = GraphMaker.preActivation(seed: 62, input: [3, 21, 19], classes: 11)
    let graph = maker.graph.withoutSoftmax
    let trial = Trial(graph, maker.parameters)
    try trial.expectAgreement(
      maker.images(count), count: count, plans: [1, 2, 3].map { Trial.Plan(batch: batch, threads: $0) },
      tolerance: 1e-5)
  }
}
