@_spi(Routes) import Imaging

/// What must hold for any bytes that claim to be a JPEG: our own decoder gives what libjpeg gives, pixels or error, of
/// the whole picture and of a part of it.
func checkRoutes(_ file: [UInt8]) throws {
  let limit = 1 << 14
  guard let info = try? probe(file.span), info.format == .jpeg, info.width * info.height <= limit else {
    return
  }
  // The part depends on the input alone, so that a finding can be repeated.
  let x = Int(file[file.count / 2]) % info.width
  let y = Int(file[file.count / 3]) % info.height
  let part = Window(
    x: x, y: y, width: 1 + Int(file[file.count / 4]) % (info.width - x),
    height: 1 + Int(file[file.count / 5]) % (info.height - y))
  // One way of each kind, chosen by the length, which most mutations change: a run is several times as fast.
  let (color, keepsDamaged) = [(ColorMode.rgb, false), (.rgb, true), (.gray, false)][file.count % 3]
  var options = DecodeOptions(color: color, keepDamaged: keepsDamaged, maximumPixelCount: limit)
  let window = file.count / 3 % 2 == 1 && info.orientation == 1 ? part : nil
  options.route = .any
  let ours = outcome(file, options, window)
  options.route = .libjpeg
  try require(ours == outcome(file, options, window), "our own decoder does as libjpeg")
  for set in 0...1 {
    options.route = .own(kernels: set)
    let strict = outcome(file, options, window)
    try require(strict == ours || strict.error != nil, "every set of kernels gives the same pixels")
  }
}

private struct Outcome: Equatable {
  var bytes: [UInt8] = []
  var error: ImageError?
}

private func outcome(_ file: [UInt8], _ options: DecodeOptions, _ window: Window?) -> Outcome {
  do throws(ImageError) {
    let pixels: Pixels
    if let window {
      pixels = try decode(file.span, options, window: window).take()
    } else {
      pixels = try decode(file.span, options)
    }
    return Outcome(
      bytes: pixels.withBytes { bytes in
        (0..<bytes.byteCount).map { bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
      })
  } catch {
    return Outcome(error: error)
  }
}
