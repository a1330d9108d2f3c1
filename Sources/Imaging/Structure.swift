import CImaging

/// Checks what can be checked of an image file without decoding it: that it is a JPEG or a PNG, that its size is
/// within the limit, and that it does not end before its last part.
///
/// A JPEG has to have an end marker behind the begin of its first scan; damage inside its compressed data is *not*
/// seen. A PNG has to have whole chunks up to `IEND`, and those of the picture their checksums.
/// - Throws: as `probe`; `.tooLarge`; `.truncated`; `.damaged`, of a PNG.
/// - Complexity: O(headers) for a JPEG that nothing follows, O(file) for a PNG.
public func checkStructure(_ file: Span<UInt8>, _ options: DecodeOptions) throws(ImageError) {
  let info = try probe(file)
  if info.width.multipliedReportingOverflow(by: info.height).partialValue > options.maximumPixelCount {
    throw ImageError(.tooLarge(width: info.width, height: info.height, limit: options.maximumPixelCount))
  }
  if info.width == 0 || info.height == 0 { throw ImageError(.damaged("a side of 0 pixels"), offset: 0) }
  switch info.format {
  case .jpeg: if !endsAsJPEG(file) { throw ImageError(.truncated, offset: file.count) }
  case .png: try checkChunks(file)
  }
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

/// The chunks up to the end marker, and the checksums of those without which there is no picture.
private func checkChunks(_ file: Span<UInt8>) throws(ImageError) {
  var chunk = 8
  while file.count - chunk >= 12 {
    let length = bigEndian(file, at: chunk)
    if length > file.count - chunk - 12 { break }
    let kind = String(decoding: (4..<8).map { file[chunk + $0] }, as: UTF8.self)
    if kind == "IEND" { return }
    // Damage in the others is a warning to libpng, and the picture is whole without them.
    if ["IHDR", "PLTE", "IDAT"].contains(kind) {
      let content = file.extracting(chunk + 4..<chunk + 8 + length)
      let checksum = unsafe content.withUnsafeBufferPointer { bytes in
        unsafe bytes.baseAddress.map { unsafe img_crc32($0, bytes.count) } ?? 0
      }
      if Int(checksum) != bigEndian(file, at: chunk + 8 + length) {
        throw ImageError(.damaged("\(kind): CRC error"), offset: chunk)
      }
    }
    chunk += 12 + length
  }
  throw ImageError(.truncated, offset: file.count)
}

private func bigEndian(_ file: Span<UInt8>, at place: Int) -> Int {
  (0..<4).reduce(0) { $0 << 8 | Int(file[place + $1]) }
}
