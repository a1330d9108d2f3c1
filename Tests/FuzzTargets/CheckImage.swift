import Imaging

/// What must hold for any bytes that claim to be a picture: no crash, no more pixels than allowed, the same pixels in
/// a window as in the whole, and pixels that can be written again.
func checkImage(_ file: [UInt8]) throws {
  let limit = 1 << 14
  guard let info = try? probe(file.span) else {
    return try require(
      (try? checkStructure(file.span, DecodeOptions())) == nil, "what has no header has no structure")
  }
  // One colour, chosen by the length, which most mutations change: a run is several times as fast.
  let color = ColorMode.allCases[file.count % ColorMode.allCases.count]
  for keepsDamaged in [false, true] {
    let options = DecodeOptions(color: color, keepDamaged: keepsDamaged, maximumPixelCount: limit)
    let pixels: Pixels
    var doubt: ImageDoubt?
    do throws(ImageError) {
      pixels = try decode(file.span, options, doubt: &doubt)
    } catch {
      try requireSentence(error)
      continue
    }
    let isSame = (try? examine(file.span, options) == doubt) ?? false
    try require(isSame, "looking for damage alone finds what decoding finds")
    try require(pixels.width * pixels.height <= limit, "the limit on pixels holds")
    try require(pixels.width * pixels.height == info.width * info.height, "the header told the size")
    if color == .rgb { try checkUse(pixels, file, options) }
  }
}

private func checkUse(_ pixels: borrowing Pixels, _ file: [UInt8], _ options: DecodeOptions) throws {
  var (isKept, isFilled) = (false, true)
  do throws(ImageError) {
    let again = try encode(pixels, as: .png(level: 1))
    let same = try decode(again.span)
    isKept = pixels.withBytes { first in same.withBytes { second in bytesEqual(first, second) } }
    let resized = try pixels.resized(width: 7, height: 5)
    _ = try encode(resized, as: .jpeg(quality: 50))
    if let preset = try? Preset(resize: 9, shape: [3, 8, 8]) {
      var tensor = [Float](repeating: .nan, count: preset.count)
      var span = tensor.mutableSpan
      try preset.fill(&span, from: file.span, options)
      isFilled = !tensor.contains { $0.isNaN }
    }
  } catch {
    throw BrokenPromise(description: "what was decoded can be used: \(error)")
  }
  try require(isKept, "PNG keeps the pixels")
  try require(isFilled, "a tensor is filled")
}

private func bytesEqual(_ first: RawSpan, _ second: RawSpan) -> Bool {
  first.byteCount == second.byteCount
    && (0..<first.byteCount).allSatisfy {
      first.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
        == second.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
    }
}
