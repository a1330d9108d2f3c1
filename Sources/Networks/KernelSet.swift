internal import CNetworks
import Models

/// The inner loops for one instruction set; the sets agree within rounding.
@safe struct KernelSet: @unchecked Sendable {  // a table of pure C functions that is never written
  let table: n_set
  /// What training needs beside it.
  let backward: n_backward_set

  private init?(_ table: UnsafePointer<n_set>?, _ backward: UnsafePointer<n_backward_set>?) {
    guard let table = unsafe table, let backward = unsafe backward else { return nil }
    unsafe self.table = table.pointee
    unsafe self.backward = backward.pointee
  }

  var name: String { unsafe String(cString: table.name) }
  /// Output blocks that a product makes at once.
  var group: Int { unsafe table.group }

  /// What this processor can run, the plainest first; the first one is portable C.
  static let available: [KernelSet] = unsafe [
    KernelSet(n_portable(), n_backward_portable()), KernelSet(n_avx2(), n_backward_avx2()),
    KernelSet(n_avx512(), n_backward_avx512()),
  ].compactMap { $0 }

  /// The widest vectors this processor has.
  static let best = available[available.count - 1]

  /// - Parameter name: nil: the best.
  /// - Throws: naming those there are.
  static func named(_ name: String?) throws(ModelError) -> KernelSet {
    guard let name else { return best }
    guard let set = available.first(where: { $0.name == name }) else {
      throw ModelError(
        "this processor has no kernels \(name); it has \(available.map(\.name).joined(separator: ", "))")
    }
    return set
  }
}
