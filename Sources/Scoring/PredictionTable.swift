/// Every scored image, sorted by path (as UTF-8 bytes).
///
/// It is stored and encoded as columns of equal length, which take little memory and little JSON:
/// `{"path":[...],"truth":[...],"predicted":[...],"rank":[...],"confidence":[...],"truth_probability":[...]}`.
public struct PredictionTable: Hashable, Sendable {
  /// The paths of the images.
  public internal(set) var paths = PathList()
  var truths: [Int32] = []
  var predicted: [Int32] = []
  /// The rank of the truth; 0 for a hard label, whose probabilities are `absent`.
  var ranks: [Int32] = []
  var confidences: [Double] = []
  var truthProbabilities: [Double] = []

  static let absent = -1.0
}

/// What a model predicted for one image.
public struct Prediction: Hashable, Sendable {
  /// The path of the image.
  public let path: String
  /// The true label.
  public let truth: Int
  /// The predicted label.
  public let predicted: Int
  /// The rank of the true class by probability, from 1; `nil` for a hard label.
  public let rank: Int?
  /// The largest probability, 0...1; `nil` for a hard label.
  public let confidence: Double?
  /// The probability of the true class, 0...1; `nil` for a hard label.
  public let truthProbability: Double?

  /// Whether the predicted class is the true one.
  public var isCorrect: Bool { truth == predicted }
}

extension PredictionTable: RandomAccessCollection {
  /// Always 0.
  public var startIndex: Int { 0 }
  /// The number of images.
  public var endIndex: Int { truths.count }

  /// The prediction at `index`, 0..<endIndex.
  public subscript(index: Int) -> Prediction {
    let isHard = ranks[index] == 0
    return Prediction(
      path: paths[index], truth: Int(truths[index]), predicted: Int(predicted[index]),
      rank: isHard ? nil : Int(ranks[index]), confidence: isHard ? nil : confidences[index],
      truthProbability: isHard ? nil : truthProbabilities[index])
  }
}

extension PredictionTable: Codable {
  enum CodingKeys: String, CodingKey {
    case path, truth, predicted, rank, confidence
    case truthProbability = "truth_probability"
  }

  /// Reads the columns.
  /// - Throws: what the decoder throws; `DecodingError.dataCorrupted` where the columns differ in length, a rank is
  ///   negative, or the paths are not sorted, which `PairedImages` relies on. Labels out of range are *not* an error: see
  ///   `firstOutside`.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    paths = try container.decode(PathList.self, forKey: .path)
    truths = try container.decode([Int32].self, forKey: .truth)
    predicted = try container.decode([Int32].self, forKey: .predicted)
    ranks = try container.decode(Column<Int32>.self, forKey: .rank).values
    confidences = try container.decode(Column<Double>.self, forKey: .confidence).values
    truthProbabilities = try container.decode(Column<Double>.self, forKey: .truthProbability).values
    let counts = [truths.count, predicted.count, ranks.count, confidences.count, truthProbabilities.count]
    guard counts.allSatisfy({ $0 == paths.count }) else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "the columns of predictions have \(paths.count) paths, but \(counts) other values"
        ))
    }
    guard ranks.allSatisfy({ $0 >= 0 }),
      paths.indices.dropFirst().allSatisfy({ paths.isBefore($0, $0 - 1) != true })
    else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "the predictions are not sorted by path, or a rank is negative"))
    }
  }

  /// Writes the columns.
  /// - Throws: what the encoder throws.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(paths, forKey: .path)
    try container.encode(truths, forKey: .truth)
    try container.encode(predicted, forKey: .predicted)
    try container.encode(Column(values: ranks, absent: 0), forKey: .rank)
    try container.encode(Column(values: confidences, absent: PredictionTable.absent), forKey: .confidence)
    try container.encode(
      Column(values: truthProbabilities, absent: PredictionTable.absent), forKey: .truthProbability)
  }
}

/// An array in which one value stands for "none", which is encoded as `null`.
private struct Column<Value: Codable & Equatable & SignedNumeric>: Codable {
  var values: [Value]
  var absent: Value

  init(values: [Value], absent: Value) {
    self.values = values
    self.absent = absent
  }

  init(from decoder: any Decoder) throws {
    absent = Value.self == Double.self ? -1 : 0
    values = []
    var container = try decoder.unkeyedContainer()
    while !container.isAtEnd {
      values.append(try container.decodeNil() ? absent : container.decode(Value.self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    for value in values {
      if value == absent { try container.encodeNil() } else { try container.encode(value) }
    }
  }
}

extension PredictionTable {
  /// The first image whose true or predicted label is not in 0..<classCount; `nil` where there is none.
  ///
  /// A file may say anything, so a score that was read from one must be checked by this before it is compared.
  public func firstOutside(classCount: Int) -> Prediction? {
    let labels = 0..<Int32(clamping: classCount)
    let place = truths.indices.first { !labels.contains(truths[$0]) || !labels.contains(predicted[$0]) }
    return place.map { self[$0] }
  }
}

/// What is kept of every image, 36 bytes and its path, in the order in which the images came.
struct ImageColumns: Sendable {
  var paths = PathList()
  var truths: [Int32] = []
  var predicted: [Int32] = []
  /// The rank of the truth, from 1; 0 for a hard label.
  var ranks: [Int32] = []
  /// The largest value of the row, as it came.
  var confidences: [Double] = []
  /// The value of the true class, as it came.
  var truthScores: [Double] = []
  /// What turns the row's values into probabilities: 1 where their sum is 1 within the tolerance, else the sum.
  var divisors: [Double] = []

  var count: Int { truths.count }

  mutating func append(contentsOf other: ImageColumns) {
    paths.append(contentsOf: other.paths)
    truths += other.truths
    predicted += other.predicted
    ranks += other.ranks
    confidences += other.confidences
    truthScores += other.truthScores
    divisors += other.divisors
  }

  /// The images sorted by path; equal paths are sorted by all other columns, so that the order in which images came
  /// plays no part.
  func pathOrder() -> [Int32] {
    let isSorted = (1..<max(1, count)).allSatisfy { paths.isBefore($0 - 1, $0) == true }
    let order = (0..<Int32(count)).map { $0 }
    if isSorted { return order }
    return order.sorted { x, y in
      let (a, b) = (Int(x), Int(y))
      return paths.isBefore(a, b)
        ?? ((truths[a], predicted[a], ranks[a], confidences[a], truthScores[a], divisors[a])
          < (truths[b], predicted[b], ranks[b], confidences[b], truthScores[b], divisors[b]))
    }
  }

  /// A value of a row as a probability. A row of zeros says nothing, so each class gets the same probability.
  static func probability(_ value: Double, divisor: Double, classCount: Int) -> Double {
    divisor == 0 ? 1 / Double(classCount) : value / divisor
  }
}

extension PredictionTable {
  /// The columns in another order; each old column is freed once it is copied.
  init(_ columns: consuming ImageColumns, order: [Int32], classCount: Int) {
    let isSorted = order.indices.allSatisfy { Int(order[$0]) == $0 }
    func sorted<Value>(_ values: [Value]) -> [Value] { isSorted ? values : order.map { values[Int($0)] } }
    paths = isSorted ? columns.paths : columns.paths.inOrder(order)
    columns.paths = PathList()
    truths = sorted(columns.truths)
    columns.truths = []
    predicted = sorted(columns.predicted)
    columns.predicted = []
    ranks = sorted(columns.ranks)
    columns.ranks = []
    let divisors = sorted(columns.divisors)
    columns.divisors = []
    confidences = sorted(columns.confidences)
    columns.confidences = []
    truthProbabilities = sorted(columns.truthScores)
    columns.truthScores = []
    for index in ranks.indices {
      if ranks[index] == 0 {
        confidences[index] = PredictionTable.absent
        truthProbabilities[index] = PredictionTable.absent
      } else if divisors[index] != 1 {
        confidences[index] = ImageColumns.probability(
          confidences[index], divisor: divisors[index], classCount: classCount)
        truthProbabilities[index] = ImageColumns.probability(
          truthProbabilities[index], divisor: divisors[index], classCount: classCount)
      }
    }
  }
}

/// Many strings in one allocation: their UTF-8 bytes, and 8 bytes each.
public struct PathList: Hashable, Sendable, RandomAccessCollection {
  private var bytes: [UInt8] = []
  /// The end of each string in `bytes`.
  private var ends: [Int] = []

  /// A list without strings.
  public init() {}

  /// Always 0.
  public var startIndex: Int { 0 }
  /// The number of strings.
  public var endIndex: Int { ends.count }

  /// The string at `index`, 0..<endIndex.
  public subscript(index: Int) -> String { String(decoding: bytes[range(index)], as: UTF8.self) }

  mutating func append(_ string: String) {
    bytes.append(contentsOf: string.utf8)
    ends.append(bytes.count)
  }

  mutating func append(contentsOf other: PathList) {
    let base = bytes.count
    bytes.append(contentsOf: other.bytes)
    ends.reserveCapacity(ends.count + other.ends.count)
    for end in other.ends { ends.append(base + end) }
  }

  /// Whether string `a` sorts before string `b`, byte by byte; `nil` where they are equal.
  func isBefore(_ a: Int, _ b: Int) -> Bool? {
    let (x, y) = (range(a), range(b))
    var (i, j) = (x.lowerBound, y.lowerBound)
    while i < x.upperBound && j < y.upperBound {
      if bytes[i] != bytes[j] { return bytes[i] < bytes[j] }
      i += 1
      j += 1
    }
    return x.count == y.count ? nil : x.count < y.count
  }

  /// The strings in another order.
  func inOrder(_ order: [Int32]) -> PathList {
    var sorted = PathList()
    sorted.bytes.reserveCapacity(bytes.count)
    sorted.ends.reserveCapacity(ends.count)
    for index in order {
      sorted.bytes.append(contentsOf: bytes[range(Int(index))])
      sorted.ends.append(sorted.bytes.count)
    }
    return sorted
  }

  private func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : ends[index - 1])..<ends[index] }
}

extension PathList: Codable {
  /// Reads an array of strings.
  /// - Throws: what the decoder throws.
  public init(from decoder: any Decoder) throws {
    var values = try decoder.unkeyedContainer()
    while !values.isAtEnd { append(try values.decode(String.self)) }
  }

  /// Writes an array of strings.
  /// - Throws: what the encoder throws.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.unkeyedContainer()
    for string in self { try values.encode(string) }
  }
}
