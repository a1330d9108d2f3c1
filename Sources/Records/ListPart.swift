import Files

/// One of `count` parts of a text file, cut by bytes and moved to line starts, as dmlc's `num_parts`/`part_index`.
///
/// The parts are disjoint and complete. They differ in size by a line or so, and may be empty.
public struct ListPart: Hashable, Sendable {
  /// `0..<count`.
  public let index: Int
  public let count: Int

  /// - Parameter index: in `0..<count`; anything else is the caller's mistake.
  public init(index: Int, count: Int) {
    precondition(count > 0 && (0..<count).contains(index), "a part's index is from 0 to count - 1")
    self.index = index
    self.count = count
  }

  /// The bytes of this part: `ceil(byteCount / count)` a part, both ends moved behind the line they fall into.
  ///
  /// A cut exactly at a line's start moves too, behind that line: so it does in dmlc's `LineSplitter`.
  func range(in file: borrowing InputFile) throws(FileError) -> Range<Int> {
    let total = file.byteCount
    let step = total / count + (total % count == 0 ? 0 : 1)
    // step * index can only overflow where it is far behind the end of the file.
    let (first, overflow) = step.multipliedReportingOverflow(by: index)
    let start = overflow ? total : min(first, total)
    let end = min(total, start + min(step, total - start))
    guard start < end else { return total..<total }
    let from = start == 0 ? 0 : try lineStart(after: start, in: file)
    let to = end == total ? total : try lineStart(after: end, in: file)
    return from..<max(from, to)
  }

  /// The first byte behind the line end or ends that follow `offset`.
  private func lineStart(after offset: Int, in file: borrowing InputFile) throws(FileError) -> Int {
    var position = offset
    var isInLine = true
    while true {
      let block = try readBlock(of: file, at: position)
      if block.isEmpty { return file.byteCount }
      for byte in block {
        let isEnd = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
        if !isInLine && !isEnd { return position }
        if isEnd { isInLine = false }
        position += 1
      }
    }
  }
}

/// Up to 64 KiB from `offset`; none at the end of the file.
func readBlock(of file: borrowing InputFile, at offset: Int) throws(FileError) -> [UInt8] {
  var block = [UInt8](repeating: 0, count: max(0, min(1 << 16, file.byteCount - offset)))
  var span = block.mutableSpan
  try fill(&span, count: span.count, at: offset, of: file)
  return block
}
