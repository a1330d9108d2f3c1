/// Why an output cannot be scored.
public struct PredictionFault: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The text is no JSON, or JSON of another shape than a prediction has.
    case json(JSONFault)
    /// An object without a key under which predictions stand.
    case noPrediction
    case wrongLength(Int, expected: Int)
    case negative(String, offset: Int)
    /// No class is more likely than another, and no scale makes a distribution of it.
    case allZero
    case sumBeyondDouble
    /// A label that is no whole number from 0, or is on no class list.
    case unknownLabel(String, classCount: Int?)
    /// A name that is on no class list; the one on it that looks like it, if there is one.
    case unknownClass(String, lookalike: String?)
    /// Several predictions stand in the output of one image.
    case several
    /// Two outputs of the same image that say different things.
    case contradiction(other: String)
    case file(String)
  }
  public let reason: Reason

  init(_ reason: Reason) { self.reason = reason }

  /// A sentence, with the byte where there is one.
  public var description: String {
    switch reason {
    case .json(let fault): fault.description
    case .noPrediction:
      "the object has no \"prediction\" or other key that predictions stand under"
    case .wrongLength(let count, let expected):
      "\(count) probabilities, \(expected) are expected, one for each class"
    case .negative(let text, let offset): "byte \(offset): \(text) is negative and no probability"
    case .allZero: "all probabilities are 0"
    case .sumBeyondDouble: "the sum of the probabilities is larger than a double can be"
    case .unknownLabel(let label, let count?) where count > 0:
      "label \(label) is unknown; a whole number from 0 to \(count - 1) is expected"
    case .unknownLabel(let label, _): "label \(label) is unknown; a whole number from 0 is expected"
    case .unknownClass(let name, let other):
      "class \"\(name)\" is not on the class list" + (other.map { ", where \"\($0)\" looks like it" } ?? "")
    case .several: "it holds several predictions; one image has one"
    case .contradiction(let other): "another output of the same image, \(other), says something else"
    case .file(let sentence): sentence
    }
  }
}

/// What one output says of its image.
enum PredictionContent: Hashable, Sendable {
  /// So many probabilities stand at the end of the parser's `values`.
  case probabilities(count: Int)
  case label(Int)
}

/// Reads predictions out of JSON: an array of probabilities, a label, a class name, or an object with one of them.
///
/// Its memory is used again for the next output. `README.md` of this target has all shapes that are taken.
struct PredictionParser {
  /// The classes, and how many probabilities an output has; `nil` where nobody knows before the outputs are read.
  let classes: ClassList?
  let classCount: Int?
  /// The probabilities of all outputs read so far, one row behind the other.
  var values: [Double] = []
  /// What the last output's object says of its image; meaningful if `nameRank` is not `nil`.
  var name: [UInt8] = []
  var nameRank: Int?
  /// The last string that was read.
  var word: [UInt8] = []

  /// How many joined outputs the scanner is in.
  var joinDepth = 0
  static let maximumJoinDepth = 4

  /// Labels beyond this are taken for rubbish where no class list says what there is.
  static let largestLabel = 9_999
  /// More probabilities than this are counted, but not kept.
  static let largestRow = 1 << 20

  init(classes: ClassList?, classCount: Int?) {
    self.classes = classes
    self.classCount = classCount
  }

  /// Takes the rows read so far away.
  mutating func takeValues() -> [Double] {
    defer { values = [] }
    return values
  }

  /// Reads one prediction from the scanner's place on, which then is behind it.
  ///
  /// - Returns: the content; probabilities are checked (as many as there are classes, none negative, not all 0).
  /// - Throws: what is wrong with it; nothing is then added to `values`. `name` is there if it stood before the fault.
  /// - Complexity: O(bytes).
  mutating func parse(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner) throws(PredictionFault)
    -> PredictionContent
  {
    let rowStart = values.count
    nameRank = nil
    do throws(PredictionFault) {
      do throws(JSONFault) {
        try checkStart(bytes, &scanner)
      } catch {
        throw PredictionFault(.json(error))
      }
      return try content(bytes, &scanner)
    } catch {
      values.removeLast(values.count - rowStart)
      throw error
    }
  }

  private func checkStart(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner) throws(JSONFault) {
    let start = scanner.cursor
    let first = scanner.peek(bytes)
    if first >= 0xEF, isByteOrderMark(bytes, at: start) { throw JSONFault(.byteOrderMark, offset: start) }
    scanner.skipBlanks(bytes)
    if scanner.cursor == bytes.count { throw JSONFault(.empty, offset: start) }
  }

  private func isByteOrderMark(_ bytes: Span<UInt8>, at start: Int) -> Bool {
    func starts(_ mark: [UInt8]) -> Bool {
      start + mark.count <= bytes.count && mark.indices.allSatisfy { bytes[start + $0] == mark[$0] }
    }
    return starts([0xEF, 0xBB, 0xBF]) || starts([0xFE, 0xFF]) || starts([0xFF, 0xFE])
  }

  /// Reads a value of any of the shapes.
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
    /// Bits of the keys met.
    var seen: UInt64 = 0
    var content: PredictionContent?
    /// Of `content` or of `fault`; the highest wins.
    var rank = 0
    /// The value under the best key is no prediction.
    var fault: PredictionFault?
    /// Where a label stands that counts if nothing better comes.
    var labelStart: Int?
    var labelRank = 0
  }

  /// Reads an object: its prediction, and what it says of the image's name.
  ///
  /// Probabilities go before a chosen class, and that before a mere class, which may be the truth of a joined input;
  /// what batch transform joined to an input goes before all.
  mutating func object(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner) throws(PredictionFault)
    -> PredictionContent
  {
    var findings = Findings()
    try members(bytes, &scanner) { (parser, key, scanner) throws(PredictionFault) in
      guard findings.seen & key.bit == 0 else {
        throw PredictionFault(.json(JSONFault(.repeatedKey(shown(parser.word)), offset: scanner.cursor)))
      }
      findings.seen |= key.bit
      switch key.role {
      case .name(let rank): try parser.readName(rank: rank, bytes, &scanner)
      case .joinedInput: try parser.readJoinedName(bytes, &scanner)
      case .joinedOutput:
        try parser.take(3, &findings, bytes, &scanner) { (parser, scanner) throws(PredictionFault) in
          guard parser.joinDepth < Self.maximumJoinDepth else {
            throw PredictionFault(.json(JSONFault(.tooDeep, offset: scanner.cursor)))
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

  /// Reads the value at the cursor with `read` if its rank is higher than what was found, else passes over it.
  ///
  /// A value that is no prediction is passed over too, so that a name behind it is found.
  private mutating func take(
    _ rank: Int, _ findings: inout Findings, _ bytes: Span<UInt8>, _ scanner: inout JSONScanner,
    _ read: (inout PredictionParser, inout JSONScanner) throws(PredictionFault) -> PredictionContent
  ) throws(PredictionFault) {
    guard rank > findings.rank else { return try skip(bytes, &scanner) }
    findings.rank = rank
    // The row of a lower rank.
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
      // Broken JSON is broken for good; the first fault says best what is wrong.
      do throws(PredictionFault) { try skip(bytes, &scanner) } catch { throw findings.fault ?? error }
    }
  }

  /// Calls `body` for each member whose key is known, with the scanner at its value; passes over the others.
  private mutating func members(
    _ bytes: Span<UInt8>, _ scanner: inout JSONScanner,
    _ body: (inout PredictionParser, PredictionKeys.Key, inout JSONScanner) throws(PredictionFault) -> Void
  ) throws(PredictionFault) {
    scanner.cursor += 1
    scanner.skipBlanks(bytes)
    if scanner.skip(UInt8(ascii: "}"), bytes) { return }
    while true {
      word.removeAll(keepingCapacity: true)
      do throws(JSONFault) {
        guard scanner.peek(bytes) == UInt8(ascii: "\"") else { throw scanner.fault("a key in quotes", bytes) }
        try scanner.string(bytes, into: &word)
        try scanner.skipColon(bytes)
      } catch {
        throw PredictionFault(.json(error))
      }
      if let key = PredictionKeys.known[word] {
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
    do throws(JSONFault) {
      try scanner.skipValue(bytes)
    } catch {
      throw PredictionFault(.json(error))
    }
  }

  /// Reads the image's name, text or a number, unless a better one was there.
  private mutating func readName(rank: Int, _ bytes: Span<UInt8>, _ scanner: inout JSONScanner)
    throws(PredictionFault)
  {
    let start = scanner.cursor
    let isText = scanner.peek(bytes) == UInt8(ascii: "\"")
    do throws(JSONFault) {
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

  /// Reads the names in an input that an output was joined to.
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
  /// Reads an array of probabilities to the end of `values`.
  mutating func row(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner) throws(PredictionFault)
    -> PredictionContent
  {
    let start = values.count
    let capacity = classCount ?? min(Self.largestRow, commaCount(bytes, from: scanner.cursor) + 1)
    values.append(contentsOf: repeatElement(0, count: capacity))
    var target = values.mutableSpan
    let (count, sum) = try scanRow(bytes, &scanner, into: &target, from: start)
    // Without a class list any length will do, but none and more than there can be.
    let expected = classCount ?? min(max(count, 1), Self.largestRow)
    guard count == expected else { throw PredictionFault(.wrongLength(count, expected: expected)) }
    guard sum > 0 else { throw PredictionFault(.allZero) }
    guard sum.isFinite else { throw PredictionFault(.sumBeyondDouble) }
    values.removeLast(capacity - count)
    return .probabilities(count: count)
  }

  /// Reads a number or a string that says a class.
  mutating func label(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner, expecting expected: String)
    throws(PredictionFault) -> PredictionContent
  {
    let start = scanner.cursor
    var number: Double?
    do throws(JSONFault) {
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
      let text = shown(bytes, start..<min(scanner.cursor, start + 40))
      throw PredictionFault(.unknownLabel(text, classCount: classCount))
    }
    return try label(text: word)
  }

  /// The class that a text names, or whose label it is.
  func label(text: [UInt8]) throws(PredictionFault) -> PredictionContent {
    if let label = classes?.label(of: text) { return .label(label) }
    if let label = wholeNumber(text), isKnown(label) { return .label(label) }
    let name = shown(text.prefix(200))
    throw PredictionFault(.unknownClass(name, lookalike: classes?.lookalike(of: name)))
  }

  private func isKnown(_ label: Int) -> Bool {
    label >= 0 && (classCount.map { label < $0 } ?? (label <= Self.largestLabel))
  }
}

/// Reads an array of numbers from 0 up.
///
/// - Parameters:
///   - scanner: at the bracket; then behind the other one.
///   - target: gets the numbers from place `start` on, as many as there is room for.
/// - Returns: how many there are, and their sum.
private func scanRow(
  _ bytes: Span<UInt8>, _ scanner: inout JSONScanner, into target: inout MutableSpan<Double>, from start: Int
) throws(PredictionFault) -> (count: Int, sum: Double) {
  // A copy stays in registers.
  var here = scanner
  defer { scanner = here }
  var (place, sum) = (start, 0.0)
  here.cursor += 1
  here.skipBlanks(bytes)
  if here.skip(UInt8(ascii: "]"), bytes) { return (0, 0) }
  while true {
    let numberStart = here.cursor
    let value: Double
    do throws(JSONFault) {
      value = try here.number(bytes)
    } catch {
      throw PredictionFault(.json(error))
    }
    if value < 0 {
      let text = shown(bytes, numberStart..<min(here.cursor, numberStart + 40))
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

/// The number that decimal digits spell; `nil` for all else and beyond 18 digits.
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

/// The keys of an object that mean something here. All others are passed over.
enum PredictionKeys {
  enum Role: Hashable {
    /// Names the image; the lowest rank wins where several stand in one object.
    case name(rank: Int)
    /// Holds probabilities; `mayBeLabel`: or a class alone.
    case probabilities(mayBeLabel: Bool)
    /// The class a model chose.
    case predictedLabel
    /// A class: a model's where the object holds no better.
    case label
    /// What batch transform joins to an input, and that input where it was no object.
    case joinedOutput, joinedInput
  }

  /// Keys that name an image, the best first.
  static let names = [
    "path", "image", "image_path", "file", "filename", "file_name", "key", "source-ref", "source_ref",
    "s3_uri",
    "uri", "name", "id",
  ]

  static let idRank = names.count - 1

  struct Key {
    let role: Role
    /// A bit of its own, to see when a key comes twice.
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
