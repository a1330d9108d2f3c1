/// Checks what can be checked of an image file without decoding it: that it is a JPEG or a PNG, that its size is
/// within the limit, and that it does not end before its last part.
///
/// A JPEG has to have an end marker behind the begin of its first scan, a PNG whole chunks up to `IEND`. Damage
/// inside the compressed data is *not* seen.
/// - Throws: as `probe`; `.tooLarge`; `.truncated`.
/// - Complexity: O(headers), where nothing follows the picture.
public func checkStructure(_ file: Span<UInt8>, _ options: DecodeOptions) throws(ImageError) {
  let info = try probe(file)
  if info.width.multipliedReportingOverflow(by: info.height).partialValue > options.maximumPixelCount {
    throw ImageError(.tooLarge(width: info.width, height: info.height, limit: options.maximumPixelCount))
  }
  let isWhole = info.format == .jpeg ? endsAsJPEG(file) : endsAsPNG(file)
  if !isWhole { throw ImageError(.truncated, offset: file.count) }
}

private func endsAsJPEG(_ file: Span<UInt8>) -> Bool {
  // The segments up to the first scan: a thumbnail among them has an end marker of its own.
  var scan = 2
  while scan + 4 <= file.count, file[scan] == 0xFF, file[scan + 1] != 0xDA {
    scan += file[scan + 1] == 0xFF ? 1 : 2 + Int(file[scan + 2]) << 8 + Int(file[scan + 3])
  }
  var place = file.count - 2
  while place > scan {
    if file[place] == 0xFF && file[place + 1] == 0xD9 { return true }
    place -= 1
  }
  return false
}

private func endsAsPNG(_ file: Span<UInt8>) -> Bool {
  var chunk = 8
  while file.count - chunk >= 12 {
    let length = (0..<4).reduce(0) { $0 << 8 | Int(file[chunk + $1]) }
    if length > file.count - chunk - 12 { return false }
    let isEnd = (0..<4).allSatisfy { file[chunk + 4 + $0] == Array("IEND".utf8)[$0] }
    if isEnd { return true }
    chunk += 12 + length
  }
  return false
}
