/// A 64-bit checksum, the same on every machine. It detects torn writes and flipped bits, but not deliberate changes.
///
/// Four lanes multiply and rotate 8 bytes each, which takes little time compared with copying the bytes. The length is
/// part of the checksum.
func checksum(_ bytes: Span<UInt8>, from start: UInt64 = 0) -> UInt64 {
  let prime: UInt64 = 0x9E37_79B1_85EB_CA87
  func mixed(_ lane: UInt64, _ word: UInt64) -> UInt64 {
    let sum = lane &+ word &* 0xC2B2_AE3D_27D4_EB4F
    return (sum << 31 | sum >> 33) &* prime
  }
  var lanes: (UInt64, UInt64, UInt64, UInt64) = (start &+ prime, start, ~start, start ^ prime)
  var result = UInt64(bytes.count)
  unsafe bytes.withUnsafeBytes { raw in
    var offset = 0
    while offset + 32 <= raw.count {
      lanes.0 = mixed(lanes.0, unsafe word(raw, offset))
      lanes.1 = mixed(lanes.1, unsafe word(raw, offset + 8))
      lanes.2 = mixed(lanes.2, unsafe word(raw, offset + 16))
      lanes.3 = mixed(lanes.3, unsafe word(raw, offset + 24))
      offset += 32
    }
    for place in offset..<raw.count { result = mixed(result, UInt64(unsafe raw[place])) }
  }
  for lane in [lanes.0, lanes.1, lanes.2, lanes.3] { result = mixed(result, lane) }
  return result ^ result >> 29
}

@inline(__always)
private func word(_ raw: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
  UInt64(littleEndian: unsafe raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
}
