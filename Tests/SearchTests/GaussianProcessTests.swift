import Foundation
import TestSupport
import Testing

@testable import Search

/// What scikit-learn says of some points: tools/oracle/goldens/search.py.
struct Golden: Decodable, CustomTestStringConvertible {
  let isCategory: [Bool]
  let points: [[Double]]
  let targets: [Double]
  let lengths: [Double]
  let signal: Double
  let noise: Double
  let noises: [Double]
  let asked: [[Double]]
  let means: [Double]
  let covariance: [[Double]]
  let likelihood: Double
  let gradient: [Double]

  var testDescription: String { "\(points.count) points, \(isCategory.count) parameters" }

  static func all() throws -> [Golden] {
    try JSONDecoder().decode([Golden].self, from: golden("gaussian-process.json"))
  }
}

struct GaussianProcessTests {
  @Test("the posterior's mean and covariance are scikit-learn's", arguments: try Golden.all())
  func posterior(_ golden: Golden) throws {
    let kernel = Kernel(
      lengths: golden.lengths, signal: golden.signal, noises: [golden.noise, 20 * golden.noise])
    let process = try #require(
      GaussianProcess(
        Points(isCategory: golden.isCategory, golden.points), golden.targets,
        sources: golden.noises.map { $0 > 2 * golden.noise ? 1 : 0 }, kernel))
    let asked = golden.asked.flatMap { $0 }
    let (means, variances) = process.posterior(at: asked)
    let covariance = process.covariance(of: asked)
    for index in golden.asked.indices {
      #expect(abs(means[index] - golden.means[index]) < 1e-9)
      #expect(abs(variances[index] - golden.covariance[index][index]) < 1e-9)
      for other in golden.asked.indices {
        #expect(abs(covariance[index * golden.asked.count + other] - golden.covariance[index][other]) < 1e-9)
      }
    }
    #expect(zip(process.means(at: golden.asked), means).allSatisfy { abs($0 - $1) < 1e-12 })
  }

  @Test("the marginal likelihood and its gradient are scikit-learn's", arguments: try Golden.all())
  func likelihood(_ golden: Golden) throws {
    let flat = KernelFit.Prior(mean: 0, deviation: .infinity)
    let fit = KernelFit(
      Points(isCategory: golden.isCategory, golden.points), golden.targets,
      sources: golden.targets.map { _ in 0 }, length: flat, category: flat, signal: flat, noises: [flat])
    let logarithms =
      golden.lengths.map { log($0) } + [log(golden.signal), log(golden.noise - KernelFit.leastNoise)]
    let (loss, gradient) = try #require(fit.loss(at: logarithms))
    let constant = 0.5 * Double(golden.points.count) * log(2 * Double.pi)
    #expect(abs(-loss - constant - golden.likelihood) < 1e-8)
    #expect(abs(try #require(fit.likelihood(at: logarithms)) - constant - golden.likelihood) < 1e-8)
    for (own, theirs) in zip(gradient, golden.gradient) {
      #expect(abs(-own - theirs) < 1e-5 * max(1, abs(theirs)))
    }
  }

  @Test("a prior's part of the loss and its slope belong together")
  func prior() {
    let prior = KernelFit.Prior(mean: -1, deviation: 0.5)
    #expect(prior.penalty(-1).value == 0 && prior.penalty(-1).slope == 0)
    #expect(prior.penalty(0).value == 2)
    let slope = (prior.penalty(0.3 + 1e-6).value - prior.penalty(0.3 - 1e-6).value) / 2e-6
    #expect(abs(prior.penalty(0.3).slope - slope) < 1e-6)
  }

  @Test("the fit finds the length scale that the targets were made with, and which parameter has no say")
  func fit() throws {
    var random = SplitMix64(seed: 3)
    let rows = (0..<40).map { _ in
      [Double.random(in: 0...1, using: &random), .random(in: 0...1, using: &random)]
    }
    let targets = Targets.standardized(rows.map { sin(7 * $0[0]) })
    let prior = KernelFit.Prior(mean: 0, deviation: 2)
    let fit = KernelFit(
      Points(isCategory: [false, false], rows), targets, sources: rows.map { _ in 0 }, length: prior,
      category: prior, signal: prior,
      noises: [KernelFit.Prior(mean: -8, deviation: 2)])
    var stream = RandomStream(1)
    let kernel = fit.kernel(at: try #require(fit.likeliest(&stream)))
    #expect(kernel.lengths[0] < 1)
    #expect(kernel.lengths[1] > 4 * kernel.lengths[0])
    #expect(kernel.noises[0] < 1e-3)
  }

  @Test("without observations to tell, kernels are drawn from the prior")
  func draws() {
    let prior = KernelFit.Prior(mean: 0.5, deviation: 0.8)
    let fit = KernelFit(
      Points(isCategory: [false], [[0.5]]), [0], sources: [0], length: prior, category: prior,
      signal: .init(mean: 0, deviation: 1e-6),
      noises: [.init(mean: -5, deviation: 1e-6)])
    var stream = RandomStream(2)
    let logarithms = fit.draws(1500, from: fit.middle, steps: 2, &stream).map { log($0.lengths[0]) }
    let (mean, deviation) = Targets.moments(logarithms)
    #expect(abs(mean - 0.5) < 0.1)
    #expect(abs(deviation - 0.8) < 0.1)
  }

  @Test(
    "a matrix that is not positive definite has no factor",
    arguments: [[1.0, 2, 2, 1], [0, 0, 0, 0], [.nan, 0, 0, 1]])
  func indefinite(_ matrix: [Double]) { #expect(Cholesky(matrix, size: 2) == nil) }

  @Test("a factor gives determinant, inverse and solution")
  func factor() throws {
    let factor = try #require(Cholesky([4, 2, 2, 3], size: 2))
    #expect(abs(factor.logDeterminant - log(8)) < 1e-14)
    #expect(zip(factor.inverse, [0.375, -0.25, -0.25, 0.5]).allSatisfy { abs($0 - $1) < 1e-15 })
    #expect(zip(factor.solved([2, 1]), [0.5, 0]).allSatisfy { abs($0 - $1) < 1e-15 })
    #expect(zip(factor.times([1, 1]), [2, 1 + 2.squareRoot()]).allSatisfy { abs($0 - $1) < 1e-15 })
  }

  @Test("the same point twice, without noise, still has a posterior")
  func twice() throws {
    let kernel = Kernel(lengths: [1], signal: 1, noises: [0])
    let process = try #require(
      GaussianProcess(Points(isCategory: [false], [[0.5], [0.5]]), [1, 1], sources: [0, 0], kernel))
    #expect(abs(process.means(at: [[0.5]])[0] - 1) < 1e-6)
  }

  @Test("the search for a minimum goes along a bent valley")
  func valley() throws {
    let found = try #require(
      QuasiNewton(steps: 200, tolerance: 1e-14).minimum(from: [-1.2, 1]) { x in
        let bend = x[1] - x[0] * x[0]
        return (
          100 * bend * bend + (1 - x[0]) * (1 - x[0]), [-400 * bend * x[0] - 2 * (1 - x[0]), 200 * bend]
        )
      })
    #expect(abs(found.point[0] - 1) < 1e-4 && abs(found.point[1] - 1) < 1e-4)
  }

  @Test("a start without a value has no minimum")
  func nowhere() { #expect(QuasiNewton().minimum(from: [0]) { _ in nil } == nil) }
}

struct NormalTests {
  /// From mpmath with 30 digits.
  @Test(
    "the logarithm of an improvement is right far out",
    arguments: [
      (0.0, -0.918938533204672742), (3.0, 1.09873966532770777), (-1.0, -2.48512102571264134),
      (-5.0, -16.7443011626609901),
      (-20.0, -206.917838509425098), (-40.0, -808.29856835661996),
    ])
  func improvement(_ z: Double, _ logarithm: Double) {
    #expect(abs(Normal.logImprovement(z) - logarithm) < 1e-9 * max(1, abs(logarithm)))
  }

  @Test("the improvement has no step where its formula changes")
  func step() {
    let (below, above) = (Normal.logImprovement(-25.000001), Normal.logImprovement(-24.999999))
    #expect(abs(above - below - 2e-6 * 25.08) < 1e-6)
  }

  @Test("the quantile undoes the distribution", arguments: [1e-300, 1e-12, 0.01, 0.3, 0.5, 0.8, 0.999])
  func quantile(_ probability: Double) {
    let back = Normal.cumulative(Normal.quantile(probability))
    #expect(abs(back - probability) < 1e-13 * probability.magnitude + 1e-13 * (probability > 0.1 ? 1 : 0))
  }
}
