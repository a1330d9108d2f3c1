internal import CNetworks
import Models

/// The inner loops of networks for one instruction set: those of inference and those of training. The sets agree within
/// rounding.
@safe struct NetworkKernels: @unchecked Sendable {  // tables of pure C functions that are never written
  private(set) var table: net_kernels
  private(set) var training: net_training_kernels
  /// "portable", "avx2", "avx512", "avx512vnni" or "avx512bf16".
  private(set) var name: String
  /// Whether sums of bfloat16 are faster than those of floats, and those of uint8 faster than both.
  private(set) var hasFastBFloat16 = false, hasFastUInt8 = false

  private init?(_ table: UnsafePointer<net_kernels>?, _ training: UnsafePointer<net_training_kernels>?) {
    guard let table = unsafe table, let training = unsafe training else { return nil }
    unsafe self.table = table.pointee
    unsafe self.training = training.pointee
    unsafe name = String(cString: table.pointee.name)
  }

  /// The kernels of AVX-512, then those with the sums that its later extensions do better: VNNI's of uint8, and with
  /// them BF16's, which no processor has without VNNI.
  private static var wide: [NetworkKernels] {
    guard var set = unsafe NetworkKernels(net_kernels_avx512(), net_training_kernels_avx512()) else {
      return []
    }
    var sets = [set]
    if let product = unsafe net_product_uint8_avx512() {
      unsafe set.table.product_uint8 = product
      (set.name, set.hasFastUInt8) = ("avx512vnni", true)
      sets.append(set)
      if let product = unsafe net_product_bfloat16_avx512() {
        unsafe set.table.product_bfloat16 = product
        if let outer = unsafe net_outer_bfloat16_avx512() { unsafe set.training.outer_bfloat16 = outer }
        (set.name, set.hasFastBFloat16) = ("avx512bf16", true)
        sets.append(set)
      }
    }
    return sets
  }

  func isFast(_ precision: Network.Precision) -> Bool {
    switch precision {
    case .fp32: true
    case .bf16: hasFastBFloat16
    case .int8: hasFastUInt8
    }
  }

  /// The sums of numbers of a type.
  func product(of type: NumberType) -> (UnsafePointer<net_product>) -> Void {
    switch type {
    case .float32: unsafe table.product
    case .bfloat16: unsafe table.product_bfloat16
    case .uint8: unsafe table.product_uint8
    }
  }
  /// Channels of a block of activations, and filters of a block of weights.
  var lanes: Int { unsafe table.lanes }
  /// Output blocks that one call of `product` keeps in registers: weights are grouped by it.
  var group: Int { unsafe table.group }

  /// Blocks that hold `count` channels; the last one may be filled up with zeros.
  func blocks(of count: Int) -> Int { (count + lanes - 1) / lanes }

  /// What this processor can run, the plainest first: the first one is portable C.
  static let available: [NetworkKernels] =
    unsafe [
      NetworkKernels(net_kernels_portable(), net_training_kernels_portable()),
      NetworkKernels(net_kernels_avx2(), net_training_kernels_avx2()),
    ].compactMap { $0 } + wide

  /// The set with the widest vectors that this processor has.
  static let best = available[available.count - 1]

  /// - Parameter name: nil: the best set.
  /// - Throws: a `ModelError` that lists the available sets, if `name` is not one of them.
  static func named(_ name: String?) throws(ModelError) -> NetworkKernels {
    guard let name else { return best }
    guard let set = available.first(where: { $0.name == name }) else {
      throw ModelError(
        "this processor has no kernels \(name); it has \(available.map(\.name).joined(separator: ", "))")
    }
    return set
  }
}

/// Thresholds that were found by measuring, in one place.
enum Tuning {
  /// Tiles that Winograd's transform makes at once.
  static func tiles(channels: Int) -> Int {
    channels <= 64 ? 28 : channels <= 128 ? 14 : channels <= 256 ? 28 : 64
  }
  /// When the workers share one image, transformed weights of more bytes than this are divided among them.
  static let sharedWeightBytes = 4 << 20
  /// The most images that one worker takes through the later layers at once.
  static let imagesAtOnce = 16
  /// The values of several images do not stay in a core's cache from one layer to the next if each has more bytes than
  /// this.
  static let perImageBytes = 1 << 20
  /// Tiles that are transformed at once for the gradient of weights.
  static let gradientTiles = 64

  static func prefersWinograd(
    _ from: Value, _ to: Value, batch: Int, over type: NumberType, _ set: NetworkKernels
  ) -> Bool {
    // Direct sums of bfloat16 take half the time; the transform's products remain floats.
    if type == .bfloat16, set.hasFastBFloat16 { return from.paddedChannels <= 128 && from.positions > 49 }
    // For a single image, the transformed weights of the last stage would be read from memory for a handful of tiles.
    return batch > 1 || from.positions > 49 || from.paddedChannels < 256
  }

  /// The most bytes of transformed weights that a plan keeps.
  static func transformedWeightBytes(batch: Int) -> Int { batch > 1 ? .max : 190 << 20 }
}
