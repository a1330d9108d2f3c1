import Glibc

/// Whole pages of memory for numbers of any element type: zeros at first, freed with the last reference.
///
/// Large pages are asked for: the kernels walk through many planes at once and would run out of address translations.
@safe package final class PageMemory: @unchecked Sendable {  // whoever writes says how writers are kept apart
  /// The first byte, at the beginning of a page.
  package let start: UnsafeMutableRawPointer
  package let byteCount: Int

  /// Maps pages, of which the system provides each when it is first written.
  ///
  /// - Parameter byteCount: at least 0.
  /// - Throws: `OutOfMemory` if the system refuses that many bytes.
  package init(byteCount: Int) throws(OutOfMemory) {
    // No mapping is empty.
    let mapped = max(byteCount, 1)
    guard byteCount >= 0,
      let memory = unsafe mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      unsafe memory != MAP_FAILED
    else { throw OutOfMemory(byteCount: byteCount) }
    _ = unsafe madvise(memory, mapped, MADV_HUGEPAGE)
    unsafe start = memory
    self.byteCount = byteCount
  }

  deinit { _ = unsafe munmap(start, max(byteCount, 1)) }
}

/// Memory for single-precision numbers: zeros at first, from the beginning of a page, freed with the last reference.
@safe package final class FloatBuffer: @unchecked Sendable {  // as `PageMemory`
  package let start: UnsafeMutablePointer<Float>
  package let count: Int
  private let memory: PageMemory

  /// - Throws: `OutOfMemory` if the system refuses that much memory, or `count` is negative.
  package init(count: Int) throws(OutOfMemory) {
    let (byteCount, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
    guard !overflow, count >= 0 else { throw OutOfMemory(byteCount: .max) }
    memory = try PageMemory(byteCount: byteCount)
    unsafe start = memory.start.assumingMemoryBound(to: Float.self)
    self.count = count
  }

  /// A copy of `numbers`, with zeros up to `count`.
  convenience init(_ numbers: [Float], count: Int) throws(OutOfMemory) {
    precondition(numbers.count <= count, "\(count) is room for \(numbers.count) numbers")
    try self.init(count: count)
    for index in numbers.indices { unsafe start[index] = numbers[index] }
  }
}

/// The system refused memory.
public struct OutOfMemory: Error, Hashable, Sendable, CustomStringConvertible {
  /// How much was asked for; `Int.max` if it was more than that.
  public let byteCount: Int

  /// One line without a full stop, the size in MiB, rounded up.
  public var description: String { "could not allocate \((byteCount - 1) / 1_048_576 + 1) MiB of memory" }
}
