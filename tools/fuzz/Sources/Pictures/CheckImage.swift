import Fuzzing
import Imaging

/// What must hold for any bytes that claim to be a picture: no crash, no more pixels than allowed, the same pixels in
/// a window as in the whole, and pixels that can be written again.
public func checkImage(_ file: [UInt8]) {
  let limit = 1 << 14
  guard let info = try? probe(file.span) else {
    require((try? checkStructure(file.span, DecodeOptions())) == nil, "what has no header has no structure")
    return
  }
  for color in ColorMode.allCases {
    for keepsDamaged in [false, true] {
      let options = DecodeOptions(color: color, keepDamaged: keepsDamaged, maximumPixelCount: limit)
      do throws(ImageError) {
        var doubt: ImageDoubt?
        let pixels = try decode(file.span, options, doubt: &doubt)
        let isSame = (try? examine(file.span, options) == doubt) ?? false
        require(isSame, "looking for damage alone finds what decoding finds")
        require(pixels.width * pixels.height <= limit, "the limit on pixels holds")
        require(pixels.width * pixels.height == info.width * info.height, "the header told the size")
        if color == .rgb { checkUse(pixels, file, options) }
      } catch {
        require(!error.description.isEmpty, "an error has a sentence")
      }
    }
  }
}

private func checkUse(_ pixels: borrowing Pixels, _ file: [UInt8], _ options: DecodeOptions) {
  do throws(ImageError) {
    let again = try encode(pixels, as: .png(level: 1))
    let same = try decode(again.span)
    let equal = pixels.withBytes { first in same.withBytes { second in bytesEqual(first, second) } }
    require(equal, "PNG keeps the pixels")
    let resized = try pixels.resized(width: 7, height: 5)
    _ = try encode(resized, as: .jpeg(quality: 50))
    guard let preset = try? Preset(resize: 9, shape: [3, 8, 8]) else { return }
    var tensor = [Float](repeating: .nan, count: preset.count)
    var span = tensor.mutableSpan
    try preset.fill(&span, from: file.span, options)
    require(!tensor.contains { $0.isNaN }, "a tensor is filled")
  } catch {
    require(false, "what was decoded can be used: \(error)")
  }
}

private func bytesEqual(_ first: RawSpan, _ second: RawSpan) -> Bool {
  first.byteCount == second.byteCount
    && (0..<first.byteCount).allSatisfy {
      first.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
        == second.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
    }
}
