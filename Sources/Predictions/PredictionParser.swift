public import Encodings

/// Why an output cannot be scored.
public struct PredictionFault: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The text is not JSON, or its shape is not that of a prediction.
    case json(JSONError)
    /// An object without any key for a prediction.
    case noPrediction
    /// The array has this many probabilities instead of one for each class.
    case wrongLength(Int, expected: Int)
    /// A value below 0: its text, and the offset of its first byte.
    case negative(String, offset: Int)
    /// All probabilities are 0, which no scale turns into a distribution.
    case allZero
    /// Each probability is finite, but their sum is not.
    case sumBeyondDouble
    /// A label that is not a whole number from 0, or is not below the number of classes.
    case unknownLabel(String, classCount: Int?)
    /// A class name that is not on the class list, and the name on it that looks like it, if there is one.
    case unknownClass(String, lookalike: String?)
    /// The output of one image holds several predictions.
    case several
    /// Any other fault, such as a file that cannot be read, in a sentence.
    case file(String)
  }
  /// What is wrong.
  public let reason: Reason

  init(_ reason: Reason) { self.reason = reason }

  /// A sentence for the user without the path, with the byte offset where there is one.
  public var description: String {
    switch reason {
    case .json(let fault): fault.description
    case .noPrediction:
      "the object has no \"prediction\" or other known key for a prediction"
    case .wrongLength(let count, let expected):
      "\(count) probabilities, but \(expected) are expected, one for each class"
    case .negative(let text, let offset): "byte \(offset): \(text) is negative; a probability is 0 or more"
    case .allZero: "all probabilities are 0"
    case .sumBeyondDouble: "the sum of the probabilities is larger than a double can be"
    case .unknownLabel(let label, let count?) where count > 0:
      "label \(label) is unknown; a whole number from 0 to \(count - 1) is expected"
    case .unknownLabel(let label, _): "label \(label) is unknown; a whole number from 0 is expected"
    case .unknownClass(let name, let other):
      "class \"\(name)\" is not on the class list" + (other.map { "; did you mean \"\($0)\"?" } ?? "")
    case .several: "it holds several predictions; one is expected"
    case .file(let sentence): sentence
    }
  }
}

/// What one output predicts.
enum PredictionContent: Hashable, Sendable {
  /// The last `count` of the parser's `values`.
  case probabilities(count: Int)
  case label(Int)
}

/// Parses predictions from JSON: an array of probabilities, a label, a class name, or an object with one of them.
///
/// Its memory is reused for the next output. `README.md` of this target lists all shapes that are accepted.
struct PredictionParser {
  /// The class names; `nil` where classes have only labels.
  let classes: ClassList?
  /// How many probabilities an output has; `nil` where that is not known yet.
  let classCount: Int?
  /// The probabilities of all outputs read so far, one row after the other.
  var values: [Double] = []
  /// The image's name in the last output; meaningful only if `nameRank` is not `nil`.
  var name: [UInt8] = []
  /// The rank in `PredictionKeys.names` of the key that `name` was under.
  var nameRank: Int?
  /// The last string that was read.
  var word: [UInt8] = []

  /// How many nested `SageMakerOutput` values the scanner is in.
  var joinDepth = 0
  static let maximumJoinDepth = 4

  /// The largest label that is accepted where no class list bounds labels.
  static let largestLabel = 9_999
  /// The largest row that is kept where the number of classes is unknown; further values are only counted.
  static let largestRow = 1 << 20

  init(classes: ClassList?, classCount: Int?) {
    self.classes = classes
    self.classCount = classCount
  }

  /// Returns the probabilities read so far and forgets them.
  mutating func takeValues() -> [Double] {
    defer { values = [] }
    return values
  }

  /// Parses one prediction from the scanner's cursor on, and moves the cursor past it.
  ///
  /// - Returns: the content. Probabilities are checked: as many as classes, none negative, not all 0.
  /// - Throws: what is wrong with the prediction; nothing is then added to `values`. `name` is set if it came before
  ///   the fault.
  /// - Complexity: O(bytes).
  mutating func parse(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner) throws(PredictionFault)
    -> PredictionContent
  {
    let rowStart = values.count
    nameRank = nil
    do throws(PredictionFault) {
      do throws(JSONError) {
        try scanner.begin(bytes)
      } catch {
        throw PredictionFault(.json(error))
      }
      return try content(bytes, &scanner)
    } catch {
      values.removeLast(values.count - rowStart)
      throw error
    }
  }

  /// Parses a value of any shape.
  mutating func content(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner)
    throws(PredictionFault) -> PredictionContent
  {
    switch scanner.peek(bytes) {
    case UInt8(ascii: "["): return try row(bytes, &scanner)
    case UInt8(ascii: "{"): return try object(bytes, &scanner)
    default: return try label(bytes, &scanner, expecting: "an array of probabilities, a label or an object")
    }
  }
}

extension PredictionParser {
  /// What was found in an object so far.
  private struct Findings {
    var content: PredictionContent?
    /// The rank of the key of `content` or `fault`; the highest wins.
    var rank = 0
    /// Why the value under the best key is not a prediction.
    var fault: PredictionFault?
    /// The offset of a label that counts if there is nothing better.
    var labelStart: Int?
    var labelRank = 0
  }

  /// Parses an object: its prediction and its image's name.
  ///
  /// Probabilities win over a predicted class, and that over a plain class, which may be the truth of a joined input.
  /// What batch transform joined to an input wins over everything else.
  mutating func object(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner) throws(PredictionFault)
    -> PredictionContent
  {
    var findings = Findings()
    try members(bytes, &scanner) { (parser, key, scanner) throws(PredictionFault) in
      switch key.role {
      case .name(let rank): try parser.readName(rank: rank, bytes, &scanner)
      case .joinedInput: try parser.readJoinedName(bytes, &scanner)
      case .joinedOutput:
        try parser.take(3, &findings, bytes, &scanner) { (parser, scanner) throws(PredictionFault) in
          guard parser.joinDepth < Self.maximumJoinDepth else {
            throw PredictionFault(.json(JSONError(.tooDeep, offset: scanner.cursor)))
          }
          parser.joinDepth += 1
          defer { parser.joinDepth -= 1 }
          return try parser.content(bytes, &scanner)
        }
      case .probabilities(let mayBeLabel):
        try parser.take(2, &findings, bytes, &scanner) { (parser, scanner) throws(PredictionFault) in
          if scanner.peek(bytes) == UInt8(ascii: "[") { return try parser.row(bytes, &scanner) }
          guard mayBeLabel else {
            throw PredictionFault(.json(scanner.fault("an array of probabilities", bytes)))
          }
          return try parser.label(bytes, &scanner, expecting: "an array of probabilities or a label")
        }
      case .predictedLabel, .label:
        let rank = key.role == .label ? 1 : 2
        if rank > findings.labelRank { (findings.labelStart, findings.labelRank) = (scanner.cursor, rank) }
        try parser.skip(bytes, &scanner)
      }
    }
    if let fault = findings.fault { throw fault }
    if let content = findings.content { return content }
    guard let start = findings.labelStart else { throw PredictionFault(.noPrediction) }
    var there = JSONScanner(at: start)
    return try label(bytes, &there, expecting: "a label")
  }

  /// Parses the value at the cursor with `read` if its rank is higher than that of what was found, else skips it.
  ///
  /// A value that is not a prediction is skipped too, so that a name after it is found.
  private mutating func take(
    _ rank: Int, _ findings: inout Findings, _ bytes: Span<UInt8>, _ scanner: inout JSONScanner,
    _ read: (inout PredictionParser, inout JSONScanner) throws(PredictionFault) -> PredictionContent
  ) throws(PredictionFault) {
    guard rank > findings.rank else { return try skip(bytes, &scanner) }
    findings.rank = rank
    // Drops the row of lower rank.
    if case .probabilities(let count)? = findings.content { values.removeLast(count) }
    findings.content = nil
    let (start, rowStart) = (scanner.cursor, values.count)
    do throws(PredictionFault) {
      findings.content = try read(&self, &scanner)
      findings.fault = nil
    } catch {
      values.removeLast(values.count - rowStart)
      findings.fault = error
      scanner.cursor = start
      // Where the value is not even JSON, the first fault is the better message.
      do throws(PredictionFault) { try skip(bytes, &scanner) } catch { throw findings.fault ?? error }
    }
  }

  /// Calls `body` for each member with a known key, with the scanner at its value; skips the others. No key may come twice.
  private mutating func members(
    _ bytes: Span<UInt8>, _ scanner: inout JSONScanner,
    _ body: (inout PredictionParser, PredictionKeys.Key, inout JSONScanner) throws(PredictionFault) -> Void
  ) throws(PredictionFault) {
    scanner.cursor += 1
    scanner.skipBlanks(bytes)
    if scanner.skip(UInt8(ascii: "}"), bytes) { return }
    // Known keys have bits, so that an object without other keys needs no set.
    var (seen, others) = (UInt64(0), Set<[UInt8]>())
    while true {
      word.removeAll(keepingCapacity: true)
      do throws(JSONError) {
        guard scanner.peek(bytes) == UInt8(ascii: "\"") else { throw scanner.fault("a key in quotes", bytes) }
        try scanner.string(bytes, into: &word)
        try scanner.skipColon(bytes)
      } catch {
        throw PredictionFault(.json(error))
      }
      let key = PredictionKeys.known[word]
      guard key.map({ seen & $0.bit == 0 }) ?? others.insert(word).inserted else {
        throw PredictionFault(.json(JSONError(.repeatedKey(nameText(word)), offset: scanner.cursor)))
      }
      if let key {
        seen |= key.bit
        try body(&self, key, &scanner)
      } else {
        try skip(bytes, &scanner)
      }
      scanner.skipBlanks(bytes)
      if scanner.skip(UInt8(ascii: "}"), bytes) { return }
      guard scanner.skip(UInt8(ascii: ","), bytes) else {
        throw PredictionFault(.json(scanner.fault("',' or '}'", bytes)))
      }
      scanner.skipBlanks(bytes)
    }
  }

  private func skip(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner) throws(PredictionFault) {
    do throws(JSONError) {
      try scanner.skipValue(bytes)
    } catch {
      throw PredictionFault(.json(error))
    }
  }

  /// Reads the image's name, a string or a whole number, unless a better one was found before.
  private mutating func readName(rank: Int, _ bytes: Span<UInt8>, _ scanner: inout JSONScanner)
    throws(PredictionFault)
  {
    let start = scanner.cursor
    let isText = scanner.peek(bytes) == UInt8(ascii: "\"")
    do throws(JSONError) {
      word.removeAll(keepingCapacity: true)
      if isText { try scanner.string(bytes, into: &word) } else { try scanner.skipValue(bytes) }
    } catch {
      throw PredictionFault(.json(error))
    }
    if !isText {
      for index in start..<scanner.cursor { word.append(bytes[index]) }
      guard wholeNumber(word) != nil else { return }
    }
    if rank < nameRank ?? .max && !word.isEmpty {
      nameRank = rank
      swap(&name, &word)
    }
  }

  /// Reads the image's name from the input that an output was joined to.
  private mutating func readJoinedName(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner)
    throws(PredictionFault)
  {
    guard scanner.peek(bytes) == UInt8(ascii: "{") else { return try skip(bytes, &scanner) }
    try members(bytes, &scanner) { (parser, key, scanner) throws(PredictionFault) in
      if case .name(let rank) = key.role {
        try parser.readName(rank: rank, bytes, &scanner)
      } else {
        try parser.skip(bytes, &scanner)
      }
    }
  }
}

extension PredictionParser {
  /// Parses an array of probabilities and appends them to `values`.
  mutating func row(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner) throws(PredictionFault)
    -> PredictionContent
  {
    let start = values.count
    let capacity = classCount ?? min(Self.largestRow, commaCount(bytes, from: scanner.cursor) + 1)
    values.append(contentsOf: repeatElement(0, count: capacity))
    var target = values.mutableSpan
    let (count, sum) = try scanRow(bytes, &scanner, into: &target, from: start)
    // Where the number of classes is unknown, any length from 1 to `largestRow` is accepted.
    let expected = classCount ?? min(max(count, 1), Self.largestRow)
    guard count == expected else { throw PredictionFault(.wrongLength(count, expected: expected)) }
    guard sum > 0 else { throw PredictionFault(.allZero) }
    guard sum.isFinite else { throw PredictionFault(.sumBeyondDouble) }
    values.removeLast(capacity - count)
    return .probabilities(count: count)
  }

  /// Parses a number or a string that stands for a class.
  mutating func label(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner, expecting expected: String)
    throws(PredictionFault) -> PredictionContent
  {
    let start = scanner.cursor
    var number: Double?
    do throws(JSONError) {
      if scanner.peek(bytes) == UInt8(ascii: "\"") {
        word.removeAll(keepingCapacity: true)
        try scanner.string(bytes, into: &word)
      } else {
        number = try scanner.number(bytes, expecting: expected, mayOverflow: true)
      }
    } catch {
      throw PredictionFault(.json(error))
    }
    if let number {
      if let label = Int(exactly: number), isKnown(label) { return .label(label) }
      let text = scanner.text(bytes, start..<min(scanner.cursor, start + 40))
      throw PredictionFault(.unknownLabel(text, classCount: classCount))
    }
    return try label(text: word)
  }

  /// The class that has this name or, if none has, this label.
  func label(text: [UInt8]) throws(PredictionFault) -> PredictionContent {
    if let label = classes?.label(of: text) { return .label(label) }
    if let label = wholeNumber(text), isKnown(label) { return .label(label) }
    let name = nameText(text.prefix(200))
    throw PredictionFault(.unknownClass(name, lookalike: classes?.lookalike(of: name)))
  }

  private func isKnown(_ label: Int) -> Bool {
    label >= 0 && (classCount.map { label < $0 } ?? (label <= Self.largestLabel))
  }
}

/// Reads an array of numbers from 0 up.
///
/// - Parameters:
///   - scanner: at the opening bracket; afterwards past the closing one.
///   - target: receives the numbers from index `start` on, as many as fit.
/// - Returns: how many numbers there are, and their sum.
private func scanRow(
  _ bytes: Span<UInt8>, _ scanner: inout JSONScanner, into target: inout MutableSpan<Double>, from start: Int
) throws(PredictionFault) -> (count: Int, sum: Double) {
  // A local copy stays in registers.
  var here = scanner
  defer { scanner = here }
  var (place, sum) = (start, 0.0)
  here.cursor += 1
  here.skipBlanks(bytes)
  if here.skip(UInt8(ascii: "]"), bytes) { return (0, 0) }
  while true {
    let numberStart = here.cursor
    let value: Double
    do throws(JSONError) {
      value = try here.number(bytes)
    } catch {
      throw PredictionFault(.json(error))
    }
    if value < 0 {
      let text = here.text(bytes, numberStart..<min(here.cursor, numberStart + 40))
      throw PredictionFault(.negative(text, offset: numberStart))
    }
    sum += value
    if place < target.count { target[place] = value }
    place += 1
    here.skipBlanks(bytes)
    if here.skip(UInt8(ascii: ","), bytes) {
      here.skipBlanks(bytes)
    } else if here.skip(UInt8(ascii: "]"), bytes) {
      return (place - start, sum)
    } else {
      throw PredictionFault(.json(here.fault("',' or ']'", bytes)))
    }
  }
}

private func commaCount(_ bytes: Span<UInt8>, from start: Int) -> Int {
  var count = 0
  for index in start..<bytes.count where bytes[index] == UInt8(ascii: ",") { count += 1 }
  return count
}

/// The number that decimal digits spell; `nil` for anything else, and for more than 18 digits.
func wholeNumber(_ digits: some Collection<UInt8>) -> Int? {
  guard (1...18).contains(digits.count) else { return nil }
  var value = 0
  for byte in digits {
    let digit = byte &- UInt8(ascii: "0")
    guard digit <= 9 else { return nil }
    value = 10 * value + Int(digit)
  }
  return value
}

/// The keys of an object that are read. All others are skipped.
enum PredictionKeys {
  enum Role: Hashable {
    /// Names the image; the lowest rank wins where an object has several.
    case name(rank: Int)
    /// Holds probabilities or, with `mayBeLabel`, a predicted class.
    case probabilities(mayBeLabel: Bool)
    /// The predicted class.
    case predictedLabel
    /// A class, which is the predicted one where the object has nothing better.
    case label
    /// What batch transform adds to an input: the output, and the input itself, where it was not an object.
    case joinedOutput, joinedInput
  }

  /// The keys that name an image, the best first. Columns of tables are found by the same names.
  static let names = [
    "path", "image", "image_path", "file", "filename", "file_name", "key", "source-ref", "source_ref",
    "s3_uri",
    "uri", "name", "id",
  ]

  static let idRank = names.count - 1

  struct Key {
    let role: Role
    /// A bit of its own, by which a repeated key is noticed.
    let bit: UInt64
  }

  static let known: [[UInt8]: Key] = {
    var known: [[UInt8]: Key] = [:]
    func add(_ name: String, _ role: Role) {
      known[Array(name.utf8)] = Key(role: role, bit: 1 << UInt64(known.count))
    }
    for (rank, name) in names.enumerated() { add(name, .name(rank: rank)) }
    for name in ["prediction", "predictions"] { add(name, .probabilities(mayBeLabel: true)) }
    for name in ["probabilities", "probs", "scores"] { add(name, .probabilities(mayBeLabel: false)) }
    for name in ["predicted_label", "predicted_class", "predicted"] { add(name, .predictedLabel) }
    for name in ["label", "class", "class_id", "class_name"] { add(name, .label) }
    add("SageMakerOutput", .joinedOutput)
    add("SageMakerInput", .joinedInput)
    return known
  }()
}
