import Encodings
import Files

/// Some consecutive outputs, the unit of work: a range of the folder's files, or a block of lines.
public struct OutputBatch: Sendable {
  enum Content: Sendable {
    case files(Range<Int>)
    case lines(LineBlock)
  }
  let content: Content
  /// The share of all outputs that is done after this batch, 0...1.
  public let fraction: Double

  /// How many probabilities to reserve memory for with `classCount` classes; bounded for hostile class counts.
  func reservedCount(_ classCount: Int) -> Int {
    switch content {
    case .files(let range): range.count * min(classCount, 4096)
    case .lines(let block): block.bytes.count / 16
    }
  }
}

/// Divides the outputs into batches, in the same way each time.
public struct OutputBatches: ~Copyable {
  private let source: OutputSource
  private var lines: LineBlocks?
  private var fileCount = 0
  private var cursor = 0
  private static let filesInBatch = 128

  init(_ source: OutputSource) throws(OutputError) {
    self.source = source
    switch source.kind {
    case .folder(let folder): fileCount = folder.files.count
    case .lines(let path): lines = try Self.open(path)
    }
  }

  private static func open(_ path: String) throws(OutputError) -> LineBlocks {
    do throws(LineError) {
      return try LineBlocks(path)
    } catch {
      throw OutputError(lines: error, path: path)
    }
  }

  /// The next batch; `nil` at the end. Lines are read here, files by `PredictionPlan.read`.
  ///
  /// - Throws: `OutputError`: `.file`, `.brokenArray` where a file of lines cannot be read to its end.
  public mutating func next() throws(OutputError) -> OutputBatch? {
    if lines == nil {
      guard cursor < fileCount else { return nil }
      let range = cursor..<min(cursor + Self.filesInBatch, fileCount)
      cursor = range.upperBound
      return OutputBatch(content: .files(range), fraction: Double(cursor) / Double(fileCount))
    }
    do throws(LineError) {
      guard let block = try lines?.next() else { return nil }
      let total = max(1, lines?.byteCount ?? 1)
      return OutputBatch(content: .lines(block), fraction: Double(lines?.doneByteCount ?? 0) / Double(total))
    } catch {
      throw OutputError(lines: error, path: source.path)
    }
  }
}

/// The parsed outputs of a batch, one row each, in their order.
public struct OutputRows: Sendable {
  struct Row: Sendable {
    /// The index of the file or, for outputs that are lines of one file, the number of the line.
    let place: Int
    /// The number of the line in a file of the folder that has several keyed lines.
    let line: Int?
    /// What the output is matched by.
    let name: Name
    let match: Matcher.Match
    let content: Result<PredictionContent, PredictionFault>
    /// The index of its first probability in `values`.
    let valueStart: Int
    /// Equal for equal content; 1 for every fault.
    let fingerprint: UInt64
  }
  enum Name: Sendable {
    /// The path of the file, without its suffix.
    case file
    /// The name that the line gives.
    case given([UInt8])
    /// A line without a name.
    case none
  }
  var rows: [Row] = []
  /// The probabilities of all rows, one row after the other.
  var values: [Double] = []
  /// The share of all outputs that is done after this batch, 0...1.
  public let fraction: Double

  /// The number of outputs.
  public var count: Int { rows.count }

  /// For each output the index in the truth of the image that it was matched to; `nil` where there is none.
  public var entries: [Int?] {
    rows.map { row in
      if case .entry(let entry, _) = row.match { entry } else { nil }
    }
  }
}

/// Parses outputs into rows; its buffers are reused from output to output.
struct RowReader {
  private let source: OutputSource
  private let matcher: Matcher
  private let areIDs: Bool
  private var parser: PredictionParser
  private var buffer: [UInt8]
  private var rows: OutputRows

  /// - Parameters:
  ///   - areIDs: whether a file named by a number is named by an id.
  ///   - reserved: about how many probabilities the outputs have together.
  init(
    _ source: OutputSource, _ matcher: Matcher, _ parser: PredictionParser, areIDs: Bool,
    reserving reserved: Int,
    _ fraction: Double
  ) {
    self.source = source
    self.matcher = matcher
    self.areIDs = areIDs
    self.parser = parser
    buffer = [UInt8](repeating: 0, count: 1 << 16)
    rows = OutputRows(fraction: fraction)
    self.parser.values.reserveCapacity(reserved)
  }

  mutating func finish() -> OutputRows {
    rows.values = parser.takeValues()
    return rows
  }

  /// Reads an output file: one prediction for the image that the file is named after, or lines that name their images.
  mutating func addFile(_ index: Int, of folder: OutputFolder) {
    var content: Result<PredictionContent, PredictionFault>
    let valueStart = parser.values.count
    var size = 0
    do throws(PredictionFault) {
      let count = try folder.read(index, into: &buffer)
      size = count
      // A copy of the reference, so that `self.parser` may be changed while the bytes are borrowed.
      let bytes = buffer
      let text = bytes.span.extracting(0..<count)
      var scanner = JSONScanner()
      let first = try parser.parse(text, &scanner)
      scanner.skipBlanks(text)
      if scanner.cursor < text.count {
        parser.values.removeLast(parser.values.count - valueStart)
        if parser.nameRank != nil { return addKeyedLines(text, of: index) }
        try refuseRest(text, scanner)
      }
      content = .success(first)
    } catch {
      let kind = foreignKind(Array(buffer.prefix(min(4096, size))))
      content = .failure(kind.map { PredictionFault(.file($0.sentence(expected: "a prediction"))) } ?? error)
    }
    let match = folder.files.withBytes(index) {
      matcher.match($0.extracting(0..<($0.count - folder.suffix.count)), isID: areIDs)
    }
    add(place: index, line: nil, name: .file, match, content, valueStart)
  }

  /// Throws the fault of a file that goes on after its prediction, with another prediction or with something else.
  private func refuseRest(_ text: Span<UInt8>, _ scanner: JSONScanner) throws(PredictionFault) {
    var next = scanner
    let isOnNextLine = text[scanner.cursor - 1] == UInt8(ascii: "\n")
    if isOnNextLine, (try? next.skipValue(text)) != nil { throw PredictionFault(.several) }
    throw PredictionFault(.json(scanner.fault("the end of the text", text)))
  }

  private mutating func addKeyedLines(_ text: Span<UInt8>, of file: Int) {
    let lines = LineBlock(bytes: unsafe text.withUnsafeBufferPointer { unsafe Array($0) }, firstLine: 1)
    lines.forEachLine { line, bytes in add(line: bytes, place: file, number: line) }
  }

  /// Reads a line of the one file that has all outputs.
  mutating func addLine(_ bytes: Span<UInt8>, number: Int) { add(line: bytes, place: number, number: nil) }

  private mutating func add(line bytes: Span<UInt8>, place: Int, number: Int?) {
    let valueStart = parser.values.count
    var content: Result<PredictionContent, PredictionFault>
    do throws(PredictionFault) {
      guard let found = try source.parse(line: bytes, number: number ?? place, &parser) else { return }
      content = .success(found)
    } catch {
      content = .failure(error)
    }
    guard parser.nameRank != nil else {
      let match = Matcher.Match.none("it does not name its image")
      return add(place: place, line: number, name: .none, match, content, valueStart)
    }
    let name = parser.name
    // A value under the key "id" is tried as an id first.
    let match = matcher.match(name.span, isID: parser.nameRank == PredictionKeys.idRank)
    add(place: place, line: number, name: .given(name), match, content, valueStart)
  }

  private mutating func add(
    place: Int, line: Int?, name: OutputRows.Name, _ match: Matcher.Match,
    _ content: Result<PredictionContent, PredictionFault>, _ valueStart: Int
  ) {
    rows.rows.append(
      OutputRows.Row(
        place: place, line: line, name: name, match: match, content: content, valueStart: valueStart,
        fingerprint: fingerprint(content, valueStart)))
  }

  /// A hash by which two outputs are held to be the same; different ones collide by chance, about once in 2^64.
  private func fingerprint(_ content: Result<PredictionContent, PredictionFault>, _ valueStart: Int)
    -> UInt64
  {
    switch content {
    case .failure: return 1
    case .success(.label(let label)): return UInt64(label) &* 2 &+ 2
    case .success(.probabilities(let count)):
      var hash: UInt64 = 0x9E37_79B9_7F4A_7C15
      for index in valueStart..<(valueStart + count) {
        hash = (hash ^ parser.values[index].bitPattern) &* 0xD6E8_FEB8_6659_FD93
        hash ^= hash >> 32
      }
      return hash
    }
  }
}
