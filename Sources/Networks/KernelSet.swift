internal import CKernels

/// The inner loops for one instruction set; the sets agree within rounding.
@safe struct KernelSet: @unchecked Sendable {  // a table of pure C functions that is never written
  let table: n_set

  private init?(_ table: UnsafePointer<n_set>?) {
    guard let table = unsafe table else { return nil }
    unsafe self.table = table.pointee
  }

  var name: String { unsafe String(cString: table.name) }
  /// Output blocks that a product makes at once.
  var group: Int { unsafe table.group }

  /// What this processor can run, the plainest first; the first one is portable C.
  static let available: [KernelSet] = unsafe [
    KernelSet(n_portable()), KernelSet(n_avx2()), KernelSet(n_avx512()),
  ].compactMap { $0 }

  /// The widest vectors this processor has.
  static let best = available[available.count - 1]
}
