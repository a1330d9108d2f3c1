internal import CNetworks
import Models

/// The inner loops for one instruction set; the sets agree within rounding.
@safe struct KernelSet: @unchecked Sendable {  // a table of pure C functions that is never written
  let table: net_kernels
  /// What training needs beside it.
  let backward: net_training_kernels

  private init?(_ table: UnsafePointer<net_kernels>?, _ backward: UnsafePointer<net_training_kernels>?) {
    guard let table = unsafe table, let backward = unsafe backward else { return nil }
    unsafe self.table = table.pointee
    unsafe self.backward = backward.pointee
  }

  var name: String { unsafe String(cString: table.name) }
  /// Output blocks that a product makes at once.
  var group: Int { unsafe table.group }

  /// What this processor can run, the plainest first; the first one is portable C.
  static let available: [KernelSet] = unsafe [
    KernelSet(net_kernels_portable(), net_training_kernels_portable()), KernelSet(net_kernels_avx2(), net_training_kernels_avx2()),
    KernelSet(net_kernels_avx512(), net_training_kernels_avx512()),
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
