import Glibc
import Synchronization

/// The probabilities of all images, in the order in which they came: in memory, or in a temporary file once they exceed
/// a budget.
struct RowStore: Sendable {
  private enum Storage {
    case memory([Double])
    case spilled(SpillFile, start: Int)
  }
  private struct Block {
    var storage: Storage
    let firstRow: Int
    let rowCount: Int
  }
  let width: Int
  private let budget: Int
  private let folder: String?
  private let rowsPerBlock: Int
  private var blocks: [Block] = []
  /// The block that is being filled.
  private var open: [Double] = []
  private var file: SpillFile?
  /// The byte count of the full blocks in memory.
  private var memoryByteCount = 0
  private(set) var rowCount = 0
  /// Why the rows were dropped; `nil` where they were not.
  private(set) var failure: String?

  /// - Parameters:
  ///   - width: the number of values in a row.
  ///   - budget: how many bytes are kept in memory.
  ///   - folder: where the temporary file goes; `nil` for `TMPDIR`, else /var/tmp, else /tmp.
  init(width: Int, budget: Int, folder: String?) {
    self.width = width
    self.budget = budget
    self.folder = folder
    rowsPerBlock = max(1, (1 << 17) / max(1, width))
  }

  mutating func append(_ row: Span<Double>) {
    guard failure == nil else { return }
    if open.isEmpty { open.reserveCapacity(rowsPerBlock * width) }
    unsafe row.withUnsafeBufferPointer { unsafe open.append(contentsOf: $0) }
    rowCount += 1
    if open.count >= rowsPerBlock * width { closeBlock() }
  }

  mutating func append(_ other: RowStore) {
    if let reason = other.failure { drop(reason) }
    guard failure == nil else { return }
    closeBlock()
    for block in other.blocks {
      add(block.storage, rowCount: block.rowCount)
      rowCount += block.rowCount
    }
    let rest = other.rowCount - (other.blocks.last.map { $0.firstRow + $0.rowCount } ?? 0)
    open = other.open
    rowCount += rest
    if rest > 0 { closeBlock() }
  }

  /// Forgets all rows and keeps the reason.
  mutating func drop(_ reason: String) {
    failure = failure ?? reason
    blocks = []
    open = []
    file = nil
    memoryByteCount = 0
  }

  private var closedRowCount: Int { blocks.last.map { $0.firstRow + $0.rowCount } ?? 0 }

  private mutating func closeBlock() {
    let rows = rowCount - closedRowCount
    guard rows > 0 else { return }
    add(.memory(open), rowCount: rows)
    open = []
  }

  private mutating func add(_ storage: Storage, rowCount: Int) {
    var storage = storage
    if case .memory(let values) = storage {
      let size = values.count * MemoryLayout<Double>.stride
      if file == nil && memoryByteCount + size <= budget {
        memoryByteCount += size
      } else {
        do throws(SpillError) {
          storage = try spill(values)
        } catch {
          return drop(error.words)
        }
      }
    }
    blocks.append(Block(storage: storage, firstRow: closedRowCount, rowCount: rowCount))
  }

  /// Writes a block to the file. Once the budget is exceeded all rows go there, also those in memory, because a long
  /// run has other uses for it.
  private mutating func spill(_ values: [Double]) throws(SpillError) -> Storage {
    if let file { return .spilled(file, start: try file.append(values)) }
    let file = try SpillFile(folder: folder)
    for index in blocks.indices {
      if case .memory(let kept) = blocks[index].storage {
        blocks[index].storage = .spilled(file, start: try file.append(kept))
      }
    }
    memoryByteCount = 0
    self.file = file
    return .spilled(file, start: try file.append(values))
  }

  /// Calls `body` with each block: the index of its first row, and the values of its rows.
  /// - Throws: where the temporary file cannot be read.
  func forEachBlock(_ body: (Int, Span<Double>) -> Void) throws(SpillError) {
    var buffer: [Double] = []
    for block in blocks {
      switch block.storage {
      case .memory(let values): body(block.firstRow, values.span)
      case .spilled(let file, let start):
        let count = block.rowCount * width
        if buffer.count != count { buffer = Array(repeating: 0, count: count) }
        try file.read(at: start, into: &buffer)
        body(block.firstRow, buffer.span)
      }
    }
    if rowCount > closedRowCount { body(closedRowCount, open.span) }
  }

  /// The values of one row.
  /// - Throws: where the temporary file cannot be read.
  /// - Complexity: O(log blocks + width).
  func row(_ index: Int) throws(SpillError) -> [Double] {
    if index >= closedRowCount {
      let start = (index - closedRowCount) * width
      return Array(open[start..<start + width])
    }
    var low = 0
    var high = blocks.count - 1
    while low < high {
      let middle = (low + high + 1) / 2
      if blocks[middle].firstRow <= index { low = middle } else { high = middle - 1 }
    }
    let offset = (index - blocks[low].firstRow) * width
    switch blocks[low].storage {
    case .memory(let values): return Array(values[offset..<offset + width])
    case .spilled(let file, let start):
      var values = Array(repeating: 0.0, count: width)
      try file.read(at: start + offset * MemoryLayout<Double>.stride, into: &values)
      return values
    }
  }
}

/// A temporary file without a name: it is gone when its last owner is, or the process ends in any way.
///
/// It is only appended to, so copies of a tally can share it.
final class SpillFile: Sendable {
  private let descriptor: Int32
  private let byteCount = Mutex(0)

  /// - Throws: a sentence that says why the file could not be created.
  init(folder: String?) throws(SpillError) {
    let folder = folder ?? Self.defaultFolder()
    var descriptor = unsafe open(folder, O_RDWR | Self.nameless | O_CLOEXEC, 0o600)
    if descriptor < 0 && [EOPNOTSUPP, EISDIR, EINVAL].contains(errno) {
      // The file system does not support files without a name.
      let path = "\(folder)/imrec-rows-\(UInt64.random(in: .min ... .max))"
      descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
      if descriptor >= 0 { unsafe unlink(path) }
    }
    guard descriptor >= 0 else {
      throw SpillError(words: "a temporary file cannot be created in \(folder): \(Self.lastError())")
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// - Returns: the byte offset at which the values begin.
  /// - Throws: where the file cannot be written, for example because the disk is full.
  func append(_ values: [Double]) throws(SpillError) -> Int {
    let size = values.count * MemoryLayout<Double>.stride
    let start = byteCount.withLock { end in
      end += size
      return end - size
    }
    var done = 0
    while done < size {
      let got = unsafe values.withUnsafeBytes {
        unsafe pwrite(
          descriptor, $0.baseAddress.map { unsafe $0 + done }, size - done, off_t(start + done))
      }
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else {
        throw SpillError(words: "the temporary file cannot be written: \(Self.lastError())")
      }
      done += got
    }
    return start
  }

  /// Fills `values` from the byte offset `start` on.
  /// - Throws: where the file cannot be read.
  func read(at start: Int, into values: inout [Double]) throws(SpillError) {
    let size = values.count * MemoryLayout<Double>.stride
    var done = 0
    while done < size {
      let got = unsafe values.withUnsafeMutableBytes {
        unsafe pread(descriptor, $0.baseAddress.map { unsafe $0 + done }, size - done, off_t(start + done))
      }
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else {
        throw SpillError(words: "the temporary file cannot be read back: \(Self.lastError())")
      }
      done += got
    }
  }

  /// O_TMPFILE, a macro that Swift does not see: __O_TMPFILE | O_DIRECTORY.
  private static var nameless: Int32 { 0o20_000_000 | O_DIRECTORY }

  private static func defaultFolder() -> String {
    if let folder = unsafe getenv("TMPDIR") {
      let path = unsafe String(cString: folder)
      if !path.isEmpty { return path }
    }
    // /var/tmp is preferred because /tmp is often held in memory.
    return unsafe access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp"
  }

  private static func lastError() -> String { unsafe String(cString: strerror(errno)) }
}

/// Why rows could not be kept.
struct SpillError: Error, Hashable {
  let words: String
}
