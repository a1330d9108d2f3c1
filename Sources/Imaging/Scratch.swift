internal import Glibc

/// Uninitialised memory for the length of one call, freed at its end.
@safe struct Scratch<Element: BitwiseCopyable>: ~Copyable {
  let start: UnsafeMutablePointer<Element>

  /// - Throws: `.outOfMemory`, also where the size does not fit an `Int`.
  init(count: Int) throws(ImageError) {
    let (byteCount, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    var address: UnsafeMutableRawPointer?
    // Vectors of a whole cache line are fastest at its start, and kernels may read a whole one at the last sample.
    guard !overflow, count >= 0, byteCount < 1 << 40,
      unsafe posix_memalign(&address, 64, byteCount + Pixels.slackByteCount) == 0,
      let address = unsafe address
    else { throw ImageError(.outOfMemory) }
    unsafe start = address.bindMemory(to: Element.self, capacity: count)
  }

  deinit { unsafe free(start) }
}
