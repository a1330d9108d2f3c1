import Encodings
import Files

/// How probabilities are written: as SageMaker's endpoint and its batch transform do.
public enum PredictionFormat: String, CaseIterable, Sendable {
  /// `[p0, p1, ...]`, what `Accept: application/json` gives.
  case json
  /// `{"prediction": [p0, p1, ...]}` and a line feed, what `Accept: application/jsonlines` gives.
  case jsonlines
  /// `{"probabilities": [...], "labels": ["cat", ...], "predicted_label": "cat"}` and a line feed: the class names, too,
  /// as SageMaker's later classifiers answer to `Accept: application/json;verbose`.
  case verbose

  // `text` and `isWhole` share these pieces: a finished output is told from a part of one without a parser, and nothing
  // but digits is made for each probability. Hence no JSONWriter here.
  private var opening: String {
    switch self {
    case .json: "["
    case .jsonlines: "{\"prediction\": ["
    case .verbose: "{\"probabilities\": ["
    }
  }

  /// UTF-8; each number in the shortest form that reads back to the same single-precision value.
  ///
  /// - Parameters:
  ///   - probabilities: finite ones, which a `Classifier` gives.
  ///   - classes: as many names, for `verbose`; nil names each class by its number. Characters beyond ASCII are escaped.
  public func text(_ probabilities: [Float], classes: [String]? = nil) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(probabilities.count * 16 + 32)
    text.append(contentsOf: opening.utf8)
    for (index, probability) in probabilities.enumerated() {
      if index > 0 { text.append(contentsOf: ", ".utf8) }
      text.append(contentsOf: probability.description.utf8)
    }
    let names = names(classes, count: probabilities.count)
    text.append(contentsOf: middle(names).utf8)
    // The first of several largest, as NumPy's argmax.
    if !names.isEmpty, let best = probabilities.indices.max(by: { probabilities[$0] < probabilities[$1] }) {
      text.append(contentsOf: names[best].utf8)
    }
    text.append(contentsOf: end.utf8)
    return text
  }

  /// The class names in quotes; empty for a format without names.
  private func names(_ classes: [String]?, count: Int) -> [String] {
    self == .verbose ? (classes ?? (0..<count).map { "\($0)" }).map { jsonString($0) } : []
  }

  /// The text between the numbers and the predicted name.
  private func middle(_ names: [String]) -> String {
    self == .verbose ? "], \"labels\": [\(names.joined(separator: ", "))], \"predicted_label\": " : "]"
  }

  private var end: String { self == .json ? "" : "}\n" }

  /// The numbers of the file at `path`, which is whole; nil if it cannot be read.
  func numbers(_ path: String, count: Int) -> [Float]? {
    guard let bytes = try? readStart(of: path, byteCount: 18 * count + 32),
      let start = bytes.firstIndex(of: UInt8(ascii: "[")), let end = bytes.firstIndex(of: UInt8(ascii: "]"))
    else { return nil }
    let numbers = bytes[(start + 1)..<end].split(separator: UInt8(ascii: ","))
      .compactMap { Float(String(decoding: $0.drop { $0 == UInt8(ascii: " ") }, as: UTF8.self)) }
    return numbers.count == count ? numbers : nil
  }

  /// Whether the file at `path` holds `count` numbers as `text` writes them, with the same class names: it is complete, in
  /// this format, and of a network with as many outputs. The numbers themselves are not read.
  func isWhole(_ path: String, count: Int, classes: [String]?) -> Bool {
    let names = names(classes, count: count)
    let middle = middle(names)
    // A Float has at most 16 characters, so a larger file is not one of ours.
    let largest = 18 * count + 32 + middle.utf8.count + (names.map(\.utf8.count).max() ?? 0)
    guard let bytes = try? readStart(of: path, byteCount: largest + 32), bytes.count <= largest,
      bytes.starts(with: opening.utf8), let bracket = bytes.firstIndex(of: UInt8(ascii: "]")),
      bytes[..<bracket].count(where: { $0 == UInt8(ascii: ",") }) == count - 1, !bytes.contains(0),
      bytes[bracket...].starts(with: middle.utf8)
    else { return false }
    let last = bytes[(bracket + middle.utf8.count)...]
    return (names.isEmpty ? [""] : names).contains { last.elementsEqual(($0 + end).utf8) }
  }
}
