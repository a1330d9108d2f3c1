import Files

/// The first bytes of files, by which formats are told.
enum Signature {
  private static let jpeg: [UInt8] = [0xff, 0xd8, 0xff]
  private static let png: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

  /// - Throws: `.unknownFormat` with what the bytes look like; `.truncated` where they are only the beginning
  ///   of a signature.
  static func format(of file: Span<UInt8>) throws(ImageError) -> ImageFormat {
    if starts(file, with: jpeg) { return .jpeg }
    if starts(file, with: png) { return .png }
    let isCutSignature =
      [jpeg, png].contains { signature in
        file.count < signature.count && starts(file, with: Array(signature.prefix(file.count)))
      }
    if isCutSignature { throw ImageError(.truncated, offset: file.count) }
    throw ImageError(.unknownFormat(looks(file)))
  }

  private static func looks(_ file: Span<UInt8>) -> String {
    fileKind(file)
      ?? "no image format known here (it begins with \(hexBytes(file, limit: 8)))"
  }

  private static func starts(_ file: Span<UInt8>, with bytes: [UInt8], at offset: Int = 0) -> Bool {
    guard file.count >= offset + bytes.count else { return false }
    for (index, byte) in bytes.enumerated() where file[offset + index] != byte { return false }
    return true
  }
}
