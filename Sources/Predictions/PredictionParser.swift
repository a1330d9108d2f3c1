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
