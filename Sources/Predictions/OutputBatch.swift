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
