import Foundation

/// A file of the folder `Goldens` beside the test that asks.
public func golden(_ name: String, of test: String = #filePath) throws -> Data {
  try Data(
    contentsOf: URL(fileURLWithPath: test).deletingLastPathComponent().appendingPathComponent(
      "Goldens/\(name)"))
}

/// FNV-1a of 64 bits in hexadecimal, as the scripts that write goldens compute it.
public func checksum(_ bytes: some Sequence<UInt8>) -> String {
  var value: UInt64 = 0xcbf2_9ce4_8422_2325
  for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
  let digits = String(value, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}
