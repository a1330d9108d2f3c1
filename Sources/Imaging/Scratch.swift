internal import Glibc

/// Uninitialised memory for the length of one call, freed at its end.
@safe struct Scratch<Element: BitwiseCopyable>: ~Copyable {
  let start: UnsafeMutablePointer<Element>

  /// - Throws: `.outOfMemory`, also where the size does not fit an `Int`.
  init(count: Int) throws(ImageError) {
    let (byteCount, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    // Kernels may read a whole vector at the last sample.
    guard !overflow, count >= 0, byteCount < 1 << 40,
      let address = unsafe malloc(byteCount + Pixels.slackByteCount)
    else { throw ImageError(.outOfMemory) }
    unsafe start = address.bindMemory(to: Element.self, capacity: count)
  }

  deinit { unsafe free(start) }
}
