import Models
import TestSupport
import Testing

@testable import Networks

/// Networks that take every way through the engine: layers that are run image by image and layers for all at once, both
/// kinds of convolution, weights that the workers divide among them.
private struct Sample: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let input: [Int]
  let build: @Sendable (inout GraphMaker) -> Void

  var maker: GraphMaker {
    var maker = GraphMaker(seed: 71, input: input)
    build(&maker)
    return maker
  }

  static let all = [
    // 512 filters of 7x7 positions and 36 planes of 4 MiB of weights.
    Sample(testDescription: "wide", input: [3, 7, 9]) { maker in
      let stem = maker.convolution(0, filters: 16, kernel: (1, 1), padding: (0, 0))
      let wide = maker.convolution(stem, filters: 192)
      let next = maker.relu(
        maker.add(maker.convolution(maker.relu(maker.batchNorm(wide)), filters: 192), wide))
      let strided = maker.convolution(maker.relu(maker.batchNorm(next)), filters: 80, stride: (2, 2))
      _ = maker.softmax(maker.head(strided, outputs: 23))
    },
    // Values of more than 1 MiB.
    Sample(testDescription: "high", input: [3, 130, 129]) { maker in
      let stem = maker.convolution(0, filters: 16)
      let sum = maker.add(maker.convolution(maker.relu(maker.batchNorm(stem)), filters: 16), stem)
      let small = maker.pooling(
        maker.relu(sum), .average(countsPadding: false), kernel: (5, 5), stride: (6, 6))
      let unit = maker.add(maker.convolution(small, filters: 16), small)
      _ = maker.softmax(maker.head(maker.relu(maker.batchNorm(unit)), outputs: 5))
    },
    Sample(testDescription: "odd", input: [2, 17, 14]) { maker in
      let stem = maker.relu(maker.batchNorm(maker.convolution(0, filters: 5, stride: (2, 1))))
      let body = maker.add(
        maker.convolution(maker.batchNorm(stem), filters: 5), maker.convolution(stem, filters: 5))
      let row = maker.flatten(maker.pooling(body, .average(countsPadding: true)))
      _ = maker.sigmoid(maker.dense(maker.sigmoid(maker.dense(row, outputs: 19)), outputs: 33))
    },
  ]
}

@Suite("An image's outputs") struct IndependenceTests {
  private func bits(_ outputs: [Float]) -> [UInt32] { outputs.map(\.bitPattern) }

  @Test(
    "have the same bits on one to four threads, and whatever images come along", arguments: Sample.all,
    [(NetworkKernels.best.name, 1), (NetworkKernels.best.name, 32), ("portable", 4)])
  private func sameBits(_ sample: Sample, _ plan: (kernels: String, batch: Int)) throws {
    var maker = sample.maker
    let images = maker.images(9)
    let (each, outputs) = (images.count / 9, maker.graph.outputCount)
    let trial = Trial(maker)
    let one = try trial.network(Trial.Plan(kernels: plan.kernels, batch: plan.batch, threads: 1))
    let alone = (0..<9).flatMap { bits(one.outputs(Array(images[$0 * each..<($0 + 1) * each]), count: 1)) }
    #expect(Set(alone).count > outputs)
    for threads in 1...4 {
      let network =
        threads == 1
        ? one : try trial.network(Trial.Plan(kernels: plan.kernels, batch: plan.batch, threads: threads))
      for count in [1, 2, 3, 4, 5, 9] {
        let found = bits(network.outputs(Array(images[..<(count * each)]), count: count))
        #expect(found == Array(alone[..<(count * outputs)]), "\(count) images on \(threads) threads")
      }
      // The last image, at each place of a batch.
      let last = Array(images[(8 * each)...])
      for place in [1, 3, 4, 6, 8] {
        let before = Array(images[..<(place * each)])
        let found = bits(network.outputs(before + last, count: place + 1))
        #expect(
          Array(found[(place * outputs)...]) == Array(alone[(8 * outputs)...]),
          "at \(place), \(threads) threads")
      }
    }
  }

  @Test("are what they were, whatever was run before", arguments: Sample.all, [1, 3])
  private func again(_ sample: Sample, _ threads: Int) throws {
    var maker = sample.maker
    let images = maker.images(4)
    for batch in [1, 32] {
      let network = try Trial(maker).network(Trial.Plan(batch: batch, threads: threads))
      let first = bits(network.outputs(images, count: 4))
      _ = network.outputs([Float](repeating: .nan, count: images.count), count: 4)
      _ = network.outputs([Float](repeating: .infinity, count: images.count), count: 4)
      #expect(bits(network.outputs(images, count: 4)) == first)
    }
  }

  @Test(
    "are NaN where the reference engine's are, and those of its neighbours are untouched",
    arguments: Sample.all,
    [Float.nan, .infinity, -.infinity])
  private func specials(_ sample: Sample, _ special: Float) throws {
    var maker = sample.maker
    let clean = maker.images(5)
    let (each, outputs) = (clean.count / 5, maker.graph.outputCount)
    let trial = Trial(maker)
    for (image, place) in [(0, each / 2), (2, 0), (4, each - 1)] {
      var images = clean
      images[image * each + place] = special
      let expected = try trial.reference(Array(images[image * each..<(image + 1) * each])).map(\.isNaN)
      let own = image * outputs..<(image + 1) * outputs
      for plan in Trial.Plan.all {
        let network = try trial.network(plan)
        var found = network.outputs(images, count: 5)
        var before = network.outputs(clean, count: 5)
        #expect(found[own].map(\.isNaN) == expected, "\(plan), number \(place) of image \(image)")
        found.removeSubrange(own)
        before.removeSubrange(own)
        #expect(bits(found) == bits(before), "\(plan), number \(place) of image \(image)")
      }
    }
  }

  @Test(
    "are NaN of a residual network with a NaN in its image, as the reference engine's",
    arguments: ResNet.Version.allCases,
    [Float.nan, .infinity])
  func residual(_ version: ResNet.Version, _ special: Float) throws {
    for input in [[3, 24, 24], [3, 40, 40]] {
      let graph = try ResNet(
        depth: input[1] > 28 ? 18 : 20, version: version, classCount: 10, inputShape: input
      ).graph
        .narrowed(by: input[1] > 28 ? 4 : 1)
      var random = SplitMix64(seed: 72)
      let trial = Trial(graph, Parameters(randomFor: graph, inputVariance: 1.0 / 3, using: &random))
      var image = random.floats(input.reduce(1, *))
      image[image.count / 2] = special
      let expected = try trial.reference(image).map(\.isNaN)
      for plan in Trial.Plan.all {
        #expect(try trial.network(plan).outputs(image, count: 1).map(\.isNaN) == expected, "\(plan) \(input)")
      }
    }
  }
}
