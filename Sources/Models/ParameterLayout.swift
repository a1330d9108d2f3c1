/// The bytes of a `.params` file, MXNet's list of NDArrays (src/ndarray/ndarray.cc), all numbers little-endian:
///
/// ```text
/// u64 0x112 | u64 0 | u64 n | n arrays | u64 n | n names, each u64 length and that many bytes
/// array V2, V3: u32 magic | i32 storage | shape | i32 device, i32 its number | i32 type | the numbers, row-major
/// array V1:     u32 magic | shape | device | type | numbers
/// array V0:     the shape as u32 rank, u32 dimensions | device | type | numbers
/// shape: i32 rank, then i64 dimensions
/// ```
enum ParameterLayout {
  static let fileMagic: UInt64 = 0x112
  static let magics: ClosedRange<UInt32> = 0xF993_FAC8...0xF993_FACA
  static let magicV1: UInt32 = 0xF993_FAC8, magicV2: UInt32 = 0xF993_FAC9

  /// ResNet-269 has 1,354; each array that is announced costs memory before its bytes are seen.
  static let largestArrayCount = 100_000
  static let largestRank = 32
  static let largestNameByteCount = 4096

  /// MXNet's storage types, in the order of their numbers.
  static let storages = ["dense", "row_sparse", "csr"]

  /// MXNet's number types, in the order of their numbers.
  static let types = [
    "float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool", "int16", "uint16", "uint32",
    "uint64", "bfloat16",
  ]
  static let typeByteCounts = [4, 8, 2, 1, 4, 1, 8, 1, 2, 2, 4, 8, 2]

  static func numberKind(_ type: Int) -> NumberKind? {
    switch type {
    case 0: .float32
    case 1: .float64
    case 2: .float16
    default: nil
    }
  }
}
