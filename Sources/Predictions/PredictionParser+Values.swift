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
