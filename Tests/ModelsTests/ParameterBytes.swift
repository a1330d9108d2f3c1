/// Makes the bytes of `.params` files, sound ones and damaged ones.
struct ParameterBytes {
  struct Array {
    /// 0 to 3.
    var version = 2
    var shape: [Int] = [2]
    var type = 0
    var storage = 0
    var data: [UInt8] = Swift.Array(repeating: 0, count: 8)
  }
  var magic = 0x112
  var arrays: [Array] = [Array()]
  var names = ["arg:a"]
  /// Others than there are.
  var arrayCount: Int?, nameCount: Int?
  var after: [UInt8] = []

  var bytes: [UInt8] {
    number(magic, 8) + number(0, 8) + number(arrayCount ?? arrays.count, 8) + arrays.flatMap(bytes)
      + number(nameCount ?? names.count, 8)
      + names.flatMap { number($0.utf8.count, 8) + Swift.Array($0.utf8) } + after
  }

  private func bytes(_ array: Array) -> [UInt8] {
    var bytes: [UInt8] = []
    if array.version > 0 { bytes += number(0xF993_FAC7 + array.version, 4) }
    if array.version > 1 { bytes += number(array.storage, 4) }
    bytes += number(array.shape.count, 4)
    bytes += array.shape.flatMap { number($0, array.version > 0 ? 8 : 4) }
    return bytes + number(2, 4) + number(1, 4) + number(array.type, 4) + array.data
  }
}

func number(_ value: Int, _ byteCount: Int) -> [UInt8] {
  (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}

func bytes(hexadecimal text: String) -> [UInt8] {
  let digits = text.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue ?? 0) }
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// What a call throws, as a user reads it; "nothing" where it throws nothing.
func message(_ call: () throws -> Void) -> String {
  do {
    try call()
    return "nothing"
  } catch { return "\(error)" }
}
