internal import CImaging

/// The inner loops for one instruction set; all sets give the same bits.
@safe struct KernelSet: @unchecked Sendable {  // a table of pure C functions that is never written
  let table: img_kernels
  /// The same table, which is never freed.
  let pointer: UnsafePointer<img_kernels>

  private init?(_ table: UnsafePointer<img_kernels>?) {
    guard let table = unsafe table else { return nil }
    unsafe self.table = table.pointee
    unsafe self.pointer = table
  }

  var name: String { unsafe String(cString: table.name) }

  /// What this processor can run, the plainest first; the first one is portable C.
  static let available: [KernelSet] = unsafe [
    KernelSet(img_kernels_portable()), KernelSet(img_kernels_avx2()), KernelSet(img_kernels_avx512()),
  ].compactMap { $0 }

  /// The widest vectors this processor has.
  static let best = available[available.count - 1]
}
