/// Every scored image, sorted by path (as UTF-8 bytes).
///
/// Kept and coded as equally long columns, small in memory and in JSON:
/// `{"path":[...],"truth":[...],"predicted":[...],"rank":[...],"confidence":[...],"truth_probability":[...]}`.
public struct PredictionTable: Hashable, Sendable {
  public internal(set) var paths = PathList()
  var truths: [Int32] = []
  var predicted: [Int32] = []
  /// 0 for a hard label, as `absent` for the probabilities.
  var ranks: [Int32] = []
  var confidences: [Double] = []
  var truthProbabilities: [Double] = []

  static let absent = -1.0
}

/// What a model said about one image.
public struct Prediction: Hashable, Sendable {
  public let path: String
  public let truth: Int
  public let predicted: Int
  /// Place of the truth among the classes by probability, from 1; `nil` for a hard label.
  public let rank: Int?
  /// The largest probability, 0...1; `nil` for a hard label.
  public let confidence: Double?
  /// Probability of the truth, 0...1; `nil` for a hard label.
  public let truthProbability: Double?

  public var isCorrect: Bool { truth == predicted }
}

extension PredictionTable: RandomAccessCollection {
  public var startIndex: Int { 0 }
  public var endIndex: Int { truths.count }

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
  }

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

/// An array in which one value stands for "none" and is coded as `null`.
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
  /// The first image whose true or predicted label is none of so many classes; `nil` where all are.
  ///
  /// A file may say anything: what is read from one is to be checked by this before it is compared.
  public func firstOutside(classCount: Int) -> Prediction? {
    let labels = 0..<Int32(clamping: classCount)
    let place = truths.indices.first { !labels.contains(truths[$0]) || !labels.contains(predicted[$0]) }
    return place.map { self[$0] }
  }
}
