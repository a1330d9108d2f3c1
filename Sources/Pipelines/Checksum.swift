import CZlib

/// CRC-32 of the bytes, as zlib and PNG have it.
func checksum(_ bytes: Span<UInt8>, from start: UInt32 = 0) -> UInt32 {
  unsafe bytes.withUnsafeBufferPointer {
    UInt32(truncatingIfNeeded: unsafe crc32_z(uLong(start), $0.baseAddress, $0.count))
  }
}
