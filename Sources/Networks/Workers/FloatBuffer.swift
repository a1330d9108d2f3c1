import Glibc

/// Memory for single-precision numbers: zeros at first, aligned to a page, freed with its last owner.
///
/// Large pages are asked for, as the kernels walk through many planes at once and would run out of address translations.
@safe package final class FloatBuffer: @unchecked Sendable {  // whoever writes says how that is kept apart
  package let start: UnsafeMutablePointer<Float>
  package let count: Int
  private let byteCount: Int

  /// - Throws: `OutOfMemory` where the system has no such room.
  package init(count: Int) throws(OutOfMemory) {
    let (bytes, overflow) = max(count, 1).multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
    guard !overflow, count >= 0 else { throw OutOfMemory(byteCount: .max) }
    guard
      let memory = unsafe mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      unsafe memory != MAP_FAILED
    else { throw OutOfMemory(byteCount: bytes) }
    _ = unsafe madvise(memory, bytes, MADV_HUGEPAGE)
    unsafe start = memory.assumingMemoryBound(to: Float.self)
    self.count = count
    byteCount = bytes
  }

  deinit { _ = unsafe munmap(start, byteCount) }
}

/// Memory that the system does not have.
public struct OutOfMemory: Error, Hashable, Sendable, CustomStringConvertible {
  public let byteCount: Int

  public var description: String {
    "\(byteCount / 1_048_576 + 1) MiB of memory are wanted, and not to be had"
  }
}
