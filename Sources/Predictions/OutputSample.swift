/// Some of the outputs, read to learn what all of them are like.
struct OutputSample {
  private static let fileCount = 100
  private static let lineCount = 1000
  /// How many of the sample have so many probabilities.
  private var lengths: [Int: Int] = [:]
  private var unnamedCount = 0
  private var namedCount = 0
  private let source: OutputSource
  /// The first line that could not be read.
  private var firstFault: (line: Int, sentence: String)?
  private var faultCount = 0

  /// - Throws: `.file`; `.noPrediction` where there are lines, and not one of the sample can be read.
  init(_ source: OutputSource, _ classes: ClassList?) throws(OutputError) {
    self.source = source
    var parser = PredictionParser(classes: classes, classCount: nil)
    switch source.kind {
    case .folder(let folder):
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      let step = max(1, folder.files.count / Self.fileCount)
      for index in stride(from: 0, to: folder.files.count, by: step) {
        guard let count = try? folder.read(index, into: &buffer) else { continue }
        let bytes = buffer
        add(bytes.span.extracting(0..<count), &parser)
      }
      // Files are named, whatever is in them.
      unnamedCount = 0
    case .lines:
      var batches = try OutputBatches(source)
      while namedCount + unnamedCount < Self.lineCount, let batch = try batches.next() {
        guard case .lines(let block) = batch.content else { break }
        block.forEachLine { line, bytes in
          if namedCount + unnamedCount < Self.lineCount { add(line: bytes, line, &parser) }
        }
        if faultCount >= Self.lineCount { break }
      }
      if let firstFault, namedCount + unnamedCount == 0 {
        throw OutputError(
          .noPrediction(lines: faultCount, first: firstFault.line, fault: firstFault.sentence),
          path: source.path)
      }
    }
  }

  private mutating func add(line: Span<UInt8>, _ number: Int, _ parser: inout PredictionParser) {
    do throws(PredictionFault) {
      if let content = try source.parse(line: line, number: number, &parser) { add(content, parser) }
    } catch {
      if parser.nameRank != nil {
        namedCount += 1
      } else {
        faultCount += 1
        if firstFault == nil { firstFault = (number, error.description) }
      }
    }
    _ = parser.takeValues()
  }

  private mutating func add(_ bytes: Span<UInt8>, _ parser: inout PredictionParser) {
    var scanner = JSONScanner()
    let content = try? parser.parse(bytes, &scanner)
    _ = parser.takeValues()
    if let content { add(content, parser) } else if parser.nameRank != nil { namedCount += 1 }
  }

  private mutating func add(_ content: PredictionContent, _ parser: PredictionParser) {
    if parser.nameRank == nil { unnamedCount += 1 } else { namedCount += 1 }
    if case .probabilities(let count) = content { lengths[count, default: 0] += 1 }
  }

  /// Whether the outputs are lines of which most do not say what image they are of.
  var namesNoImage: Bool { unnamedCount > namedCount }

  /// The most frequent number of probabilities; where two are as frequent, the smaller one that has room for all labels
  /// of the truth. `nil` where no output has any.
  func rowLength(_ truth: Truth) -> Int? {
    let needed = (truth.largestLabel ?? -1) + 1
    let best = lengths.max { left, right in
      if left.value != right.value { return left.value < right.value }
      let fits = (left.key >= needed, right.key >= needed)
      if fits.0 != fits.1 { return fits.1 }
      return fits.0 ? left.key > right.key : left.key < right.key
    }
    return best?.key
  }

  /// How many classes there are, as far as truth and outputs show: as many as most outputs have probabilities; where
  /// they are only labels, one more than the largest label of both.
  func classCount(_ truth: Truth) throws(OutputError) -> Int {
    if let length = rowLength(truth) { return length }
    return max((truth.largestLabel ?? -1) + 1, try largestLabel() + 1)
  }

  /// The largest label of all outputs; -1 if there is none.
  private func largestLabel() throws(OutputError) -> Int {
    var largest = -1
    var parser = PredictionParser(classes: nil, classCount: nil)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    func look(_ content: PredictionContent?) {
      if case .label(let label)? = content { largest = max(largest, label) }
      _ = parser.takeValues()
    }
    var batches = try OutputBatches(source)
    while let batch = try batches.next() {
      switch (batch.content, source.kind) {
      case (.lines(let block), _):
        block.forEachLine { line, bytes in look(try? source.parse(line: bytes, number: line, &parser)) }
      case (.files(let range), .folder(let folder)):
        for index in range {
          guard let count = try? folder.read(index, into: &buffer) else { continue }
          let bytes = buffer
          var scanner = JSONScanner()
          look(try? parser.parse(bytes.span.extracting(0..<count), &scanner))
        }
      case (.files, .lines): break
      }
    }
    return largest
  }
}
