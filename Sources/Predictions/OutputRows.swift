import Files

/// Some outputs, the unit of work: a stretch of the folder's files, or a block of lines.
public struct OutputBatch: Sendable {
  enum Content: Sendable {
    case files(Range<Int>)
    case lines(LineBlock)
  }
  let content: Content
  /// How much of all outputs is done with this batch, 0...1.
  public let fraction: Double

  /// How many probabilities the outputs can have, where there are so many classes; never more than their bytes allow.
  func reservedCount(_ classCount: Int) -> Int {
    switch content {
    case .files(let range): range.count * min(classCount, 4096)
    case .lines(let block): block.bytes.count / 16
    }
  }
}

/// Cuts the outputs into batches, always in the same way.
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

  /// The next batch; `nil` at the end. Reads lines, but no files.
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

/// What the outputs of a batch say, one row each, in their order.
public struct OutputRows: Sendable {
  struct Row: Sendable {
    /// The file or, of a file of lines, the line.
    let place: Int
    /// Of a file with several keyed lines.
    let line: Int?
    /// The path without its suffix, or the name the line gives; `nil` for a line without.
    let name: Name
    let match: Matcher.Match
    let content: Result<PredictionContent, PredictionFault>
    /// Where its probabilities begin in `values`.
    let valueStart: Int
    /// The same for the same content; 1 for every fault.
    let print: UInt64
  }
  enum Name: Sendable {
    /// That of the file.
    case file
    case given([UInt8])
    case none
  }
  var rows: [Row] = []
  var values: [Double] = []
  public let fraction: Double

  public var count: Int { rows.count }

  /// The images that the outputs were matched to: entries of the truth.
  public var entries: [Int?] {
    rows.map { row in
      if case .entry(let entry, _) = row.match { entry } else { nil }
    }
  }
}

/// Makes rows of outputs; its buffers are used again from output to output.
struct RowReader {
  private let source: OutputSource
  private let matcher: Matcher
  private let areIDs: Bool
  private var parser: PredictionParser
  private var buffer: [UInt8]
  private var rows: OutputRows

  /// - Parameters:
  ///   - areIDs: whether files named by a number are named by an id.
  ///   - reserved: how many probabilities the outputs will have, about.
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

  /// Reads an output file: one prediction of the image it is named after, or lines that each name their image.
  mutating func addFile(_ index: Int, of folder: OutputFolder) {
    var content: Result<PredictionContent, PredictionFault>
    let valueStart = parser.values.count
    var size = 0
    do throws(PredictionFault) {
      let count = try folder.read(index, into: &buffer)
      size = count
      // Moved out and back, so that the parser's own memory can change meanwhile.
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

  /// Something stands behind the prediction: another one on the next line, or rubbish.
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

  /// Reads a line of a file of lines.
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
      return add(place: place, line: number, name: .none, .none("it names no image"), content, valueStart)
    }
    let name = parser.name
    // What stands under the key "id" is one, if there is an image with it.
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
        print: print(content, valueStart)))
  }

  /// Tells whether two outputs say the same. Two that differ share one by chance only, once in 2^64.
  private func print(_ content: Result<PredictionContent, PredictionFault>, _ valueStart: Int) -> UInt64 {
    switch content {
    case .failure: return 1
    case .success(.label(let label)): return UInt64(label) &* 2 &+ 2
    case .success(.probabilities(let count)):
      var print: UInt64 = 0x9E37_79B9_7F4A_7C15
      for index in valueStart..<(valueStart + count) {
        print = (print ^ parser.values[index].bitPattern) &* 0xD6E8_FEB8_6659_FD93
        print ^= print >> 32
      }
      return print
    }
  }
}
