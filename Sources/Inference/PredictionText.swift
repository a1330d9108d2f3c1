import Files

/// How probabilities are written: as SageMaker's endpoint and its batch transform do.
public enum PredictionFormat: String, CaseIterable, Sendable {
  /// `[p0, p1, ...]`, what `Accept: application/json` gives.
  case json
  /// `{"prediction": [p0, p1, ...]}` and a line feed, what `Accept: application/jsonlines` gives.
  case jsonlines

  private var opening: String { self == .json ? "[" : "{\"prediction\": [" }
  private var closing: String { self == .json ? "]" : "]}\n" }

  /// UTF-8; each number in the shortest form that reads back to the same single-precision value.
  ///
  /// - Parameter probabilities: finite ones, which a `Classifier` gives.
  public func text(_ probabilities: [Float]) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(probabilities.count * 16 + 32)
    text.append(contentsOf: opening.utf8)
    for (index, probability) in probabilities.enumerated() {
      if index > 0 { text.append(contentsOf: ", ".utf8) }
      text.append(contentsOf: probability.description.utf8)
    }
    text.append(contentsOf: closing.utf8)
    return text
  }

  /// Whether the file at `path` holds `count` numbers as `text` writes them: it was written whole, in this format, for
  /// a network of as many outputs. The numbers themselves are not read.
  func isWhole(_ path: String, count: Int) -> Bool {
    // A Float has at most 16 characters, so a larger file is not one of ours.
    guard let bytes = try? readStart(of: path, byteCount: 18 * count + 64),
      bytes.count <= 18 * count + 32, bytes.starts(with: opening.utf8),
      bytes.suffix(closing.utf8.count).elementsEqual(closing.utf8)
    else { return false }
    return bytes.count { $0 == UInt8(ascii: ",") } == count - 1 && !bytes.contains(0)
  }
}
