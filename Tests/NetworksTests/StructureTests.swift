import Models
import TestSupport
import Testing

@testable import Networks

/// A small network of a form of its own.
struct Structure: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let input: [Int]
  var engine = Network.Engine.fast
  let build: @Sendable (inout GraphMaker) -> Void

  init(
    _ name: String, _ input: [Int] = [3, 11, 13], engine: Network.Engine = .fast,
    _ build: @escaping @Sendable (inout GraphMaker) -> Void
  ) {
    testDescription = name
    self.input = input
    self.engine = engine
    self.build = build
  }

  func maker() -> GraphMaker {
    var maker = GraphMaker(seed: 51, input: input)
    build(&maker)
    return maker
  }
}

extension GraphMaker {
  /// Global average and a fully connected layer.
  mutating func head(_ body: Int, outputs: Int = 7) -> Int {
    dense(flatten(pooling(body, .average(countsPadding: true), isGlobal: true)), outputs: outputs)
  }

  /// A convolution from planes to blocks.
  mutating func stem(filters: Int = 20) -> Int { convolution(0, filters: filters) }
}

private let readers = [
  Structure("a relu with several readers") { maker in
    let shared = maker.relu(maker.stem())
    let sum = maker.add(maker.convolution(shared, filters: 20), maker.convolution(shared, filters: 20))
    _ = maker.head(maker.add(sum, shared))
  },
  Structure("a BatchNorm with several readers") { maker in
    let shared = maker.batchNorm(maker.stem())
    let one = maker.convolution(maker.relu(shared), filters: 20)
    _ = maker.head(maker.add(maker.convolution(shared, filters: 20), maker.add(one, shared)))
  },
  Structure("a convolution with several readers, a BatchNorm among them") { maker in
    let shared = maker.stem()
    let normed = maker.relu(maker.batchNorm(shared))
    _ = maker.head(maker.add(maker.relu(shared), maker.convolution(normed, filters: 20)))
  },
  Structure("a BatchNorm of the input with several readers") { maker in
    let shared = maker.batchNorm(0)
    _ = maker.head(maker.add(maker.convolution(shared, filters: 9), maker.convolution(shared, filters: 9)))
  },
  Structure("a sum that is read by a sum, a relu and a BatchNorm") { maker in
    let stem = maker.stem()
    let sum = maker.add(maker.convolution(stem, filters: 20), stem)
    let inner = maker.convolution(maker.relu(maker.batchNorm(sum)), filters: 20)
    _ = maker.head(maker.add(maker.add(inner, sum), maker.relu(sum)))
  },
]

private let sums = [
  Structure("a sum of two convolutions") { maker in
    let stem = maker.stem()
    let two = (
      maker.convolution(stem, filters: 33),
      maker.convolution(stem, filters: 33, kernel: (1, 1), padding: (0, 0))
    )
    _ = maker.head(maker.relu(maker.add(two.0, two.1)))
  },
  Structure("a sum of three convolutions") { maker in
    let stem = maker.stem()
    let three = (0..<3).map { _ in maker.batchNorm(maker.convolution(stem, filters: 16)) }
    _ = maker.head(maker.relu(maker.add(maker.add(three[0], three[1]), three[2])))
  },
  Structure("a sum of a value with itself") { maker in
    let stem = maker.relu(maker.stem())
    _ = maker.head(maker.convolution(maker.add(stem, stem), filters: 16))
  },
  Structure("a convolution that is added to itself") { maker in
    let stem = maker.stem()
    _ = maker.head(maker.relu(maker.add(stem, stem)))
  },
  Structure("a sum of a value with its own relu, which is not computed by itself") { maker in
    let stem = maker.stem()
    _ = maker.head(maker.add(maker.relu(maker.batchNorm(stem)), stem))
  },
  Structure("a long sum over a shortcut that nothing needs afterwards", [3, 7, 7]) { maker in
    let stem = maker.convolution(0, filters: 80)
    let unit = maker.add(
      maker.convolution(maker.relu(stem), filters: 80, kernel: (3, 2), padding: (1, 0)),
      maker.convolution(stem, filters: 80, kernel: (3, 2), padding: (1, 0)))
    _ = maker.head(unit)
  },
  Structure("a sum with a long one by one convolution", [3, 9, 9]) { maker in
    let stem = maker.convolution(0, filters: 608)
    let short = maker.relu(stem)
    let long = maker.convolution(short, filters: 608, kernel: (1, 1), padding: (0, 0))
    let other = maker.convolution(
      maker.relu(maker.add(long, short)), filters: 32, kernel: (1, 1), padding: (0, 0))
    _ = maker.head(other)
  },
  Structure("a sum with the input itself", [5, 9, 9], engine: .reference) { maker in
    _ = maker.head(maker.add(maker.convolution(0, filters: 5), 0))
  },
  Structure("the input added to itself", [5, 9, 9], engine: .reference) { maker in
    _ = maker.head(maker.convolution(maker.add(0, 0), filters: 8))
  },
]

private let poolings = [
  Structure("a maximum after BatchNorm, and an average after relu") { maker in
    let body = maker.pooling(
      maker.batchNorm(maker.stem()), .maximum, kernel: (2, 3), stride: (1, 2), padding: (1, 0))
    _ = maker.head(maker.pooling(maker.relu(body), .average(countsPadding: false)))
  },
  Structure("averages with counted margins, rounded up") { maker in
    let body = maker.pooling(maker.stem(), .average(countsPadding: true), roundsUp: true)
    _ = maker.flatten(
      maker.pooling(body, .average(countsPadding: true), kernel: (2, 2), padding: (1, 1), roundsUp: true))
  },
  Structure("averages without counted margins, rounded up, after BatchNorm and relu") { maker in
    let body = maker.relu(maker.batchNorm(maker.stem()))
    _ = maker.flatten(
      maker.pooling(body, .average(countsPadding: false), kernel: (2, 2), padding: (1, 1), roundsUp: true))
  },
  Structure("a global maximum") { maker in
    _ = maker.dense(maker.flatten(maker.pooling(maker.stem(), .maximum, isGlobal: true)), outputs: 3)
  },
  Structure("pooling of the input", engine: .reference) { maker in
    _ = maker.head(maker.convolution(maker.pooling(0, .maximum), filters: 8))
  },
]

private let rows = [
  Structure("a row of more than one position", [2, 5, 7]) { maker in
    _ = maker.dense(maker.flatten(maker.relu(maker.stem(filters: 19))), outputs: 5)
  },
  Structure("a sigmoid at the end") { maker in _ = maker.sigmoid(maker.head(maker.stem(), outputs: 21)) },
  Structure("fully connected layers after each other, with what may be between") { maker in
    let first = maker.batchNorm(maker.head(maker.stem(), outputs: 37))
    let second = maker.dense(maker.relu(first), outputs: 18, bias: false)
    let third = maker.add(maker.dense(maker.relu(second), outputs: 18), second)
    _ = maker.dense(third, outputs: 4)
  },
  Structure("a sigmoid in the middle") { maker in
    _ = maker.dense(maker.sigmoid(maker.head(maker.stem(), outputs: 5)), outputs: 9)
  },
  Structure("a softmax in the middle") { maker in
    _ = maker.dense(maker.softmax(maker.head(maker.stem(), outputs: 5)), outputs: 9)
  },
  Structure("the input as a row", [2, 3, 3], engine: .reference) { maker in
    _ = maker.dense(maker.flatten(0), outputs: 9)
  },
]

private let ends = [
  Structure("a convolution at the end") { maker in _ = maker.convolution(maker.stem(), filters: 17) },
  Structure("the first convolution at the end") { maker in _ = maker.stem(filters: 5) },
  Structure("BatchNorm at the end") { maker in _ = maker.batchNorm(maker.stem(filters: 18)) },
  Structure("a relu at the end that cannot be fused") { maker in
    let stem = maker.stem()
    let sum = maker.add(maker.convolution(stem, filters: 20), stem)
    _ = maker.relu(maker.batchNorm(maker.add(sum, stem)))
  },
  Structure("one position at the end", [3, 3, 3]) { maker in
    _ = maker.convolution(maker.stem(), filters: 21, padding: (0, 0))
  },
]

private let norms = [
  Structure("BatchNorm of the input, twice, before a margin") { maker in
    _ = maker.head(maker.stemOf(maker.batchNorm(maker.batchNorm(0))))
  },
  Structure("relu of the input", engine: .reference) { maker in _ = maker.head(maker.stemOf(maker.relu(0))) },
  Structure("BatchNorm and relu in every order") { maker in
    let body = maker.batchNorm(maker.relu(maker.batchNorm(maker.batchNorm(maker.relu(maker.stem())))))
    let next = maker.batchNorm(maker.batchNorm(maker.convolution(body, filters: 12, bias: true)))
    _ = maker.head(maker.relu(maker.relu(next)))
  },
]

extension GraphMaker {
  mutating func stemOf(_ input: Int) -> Int { convolution(input, filters: 20) }
}

@Suite("The fast engine computes what the reference engine does, whatever the form") struct StructureTests {
  @Test("of the network", arguments: readers + sums + poolings + rows + ends + norms)
  func structures(_ structure: Structure) throws {
    var maker = structure.maker()
    try Trial(maker).expectAgreement(
      maker.images(3), count: 3, tolerance: 2e-5, engine: structure.engine)
  }

  @Test("of an output with several readers")
  func outputWithReaders() throws {
    var maker = GraphMaker(seed: 52, input: [3, 6, 6])
    let row = maker.head(maker.stem())
    _ = maker.softmax(maker.relu(row))
    let trial = Trial(Graph(nodes: maker.nodes, output: row), maker.parameters)
    try trial.expectAgreement(maker.images(1), tolerance: 1e-5)
    // A convolution whose BatchNorm is there, but not asked for.
    var other = GraphMaker(seed: 53, input: [3, 6, 6])
    let convolution = other.convolution(other.stem(), filters: 8)
    _ = other.relu(other.batchNorm(convolution))
    try Trial(Graph(nodes: other.nodes, output: convolution), other.parameters).expectAgreement(
      other.images(1), tolerance: 1e-5)
  }

  @Test("of a network that returns its input")
  func nothing() throws {
    var maker = GraphMaker(seed: 54, input: [3, 4, 5])
    let images = maker.images(2)
    let network = try Network(maker.graph, maker.parameters)
    #expect(network.outputs(images, count: 2) == images)
  }

  struct Form: CustomTestStringConvertible {
    var kernel = (3, 3), stride = (1, 1), padding = (1, 1)
    var testDescription: String { "\(kernel), stride \(stride), padding \(padding)" }

    static let all = [
      Form(kernel: (1, 1), padding: (0, 0)), Form(kernel: (1, 1), stride: (2, 2), padding: (0, 0)),
      Form(kernel: (1, 1)),
      Form(kernel: (1, 1), stride: (3, 2)), Form(), Form(padding: (0, 0)), Form(padding: (2, 2)),
      Form(padding: (1, 0)),
      Form(stride: (2, 2)), Form(stride: (1, 2)), Form(stride: (3, 1), padding: (2, 0)),
      Form(kernel: (7, 7), stride: (2, 2), padding: (3, 3)),
      Form(kernel: (1, 3), stride: (2, 1), padding: (0, 1)),
      Form(kernel: (5, 2), stride: (3, 3), padding: (2, 1)),
      Form(kernel: (2, 2), stride: (3, 3), padding: (0, 0)),
      Form(kernel: (2, 3), stride: (4, 5), padding: (2, 4)),
    ]
  }

  @Test("of a convolution, as the first one and behind another", arguments: Form.all)
  func convolutions(_ form: Form) throws {
    for (channels, filters, size) in [
      (1, 5, (11, 10)), (2, 17, (8, 15)), (3, 33, (9, 9)), (4, 40, (7, 16)), (16, 16, (13, 7)),
      (17, 5, (8, 9)),
    ] {
      for isFirst in [true, false] {
        var maker = GraphMaker(seed: 55, input: [isFirst ? channels : 2, size.0, size.1])
        let input = isFirst ? 0 : maker.relu(maker.batchNorm(maker.relu(maker.stem(filters: channels))))
        _ = maker.flatten(
          maker.convolution(
            input, filters: filters, kernel: form.kernel, stride: form.stride, padding: form.padding,
            bias: true))
        try Trial(maker).expectAgreement(maker.images(1), tolerance: 1e-5)
      }
    }
  }

  /// Steps of 16 numbers from one pixel to the next look like a block of channels.
  @Test(
    "of an image whose pixels are as far apart as blocks",
    arguments: [(16, 1), (8, 2), (4, 4), (1, 16), (32, 1)])
  func steps(_ channels: Int, _ stride: Int) throws {
    for kernel in [1, 3, 5] {
      var maker = GraphMaker(seed: 56, input: [channels, 17, 35])
      _ = maker.flatten(
        maker.convolution(
          0, filters: 18, kernel: (kernel, kernel), stride: (stride, stride),
          padding: (kernel / 2, kernel / 2)))
      try Trial(maker).expectAgreement(maker.images(1), tolerance: 1e-5)
    }
  }
}
