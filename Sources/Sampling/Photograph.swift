import Imaging

/// The kind of file for a picture. Most are baseline JPEG, but every kind that real folders contain occurs.
enum PictureKind: Equatable, Sendable {
  case jpeg(progressive: Bool)
  case greyJPEG
  case cmykJPEG(ycck: Bool)
  /// Stored rotated or flipped, with the EXIF orientation (2...8) that undoes it.
  case rotatedJPEG(orientation: Int)
  case png(channels: Int)

  /// Every 25 pictures of a class are 16 baseline, 2 progressive, 2 rotated, 1 grey and 1 CMYK JPEG, and 3 PNG.
  init(class label: Int, index: Int, _ random: inout SampleRandom) {
    // 13 and 25 are coprime, so every kind occurs early, and at another index in each class.
    switch (index * 13 + label * 7) % 25 {
    case 2: self = .greyJPEG
    case 5: self = .cmykJPEG(ycck: random.happens(0.4))
    case 8, 21: self = .rotatedJPEG(orientation: random.pick([6, 6, 6, 3, 3, 8, 8, 2, 4, 5, 7]))
    case 11, 18: self = .jpeg(progressive: true)
    case 14, 24: self = .png(channels: 3)
    case 16: self = .png(channels: random.pick([1, 4]))
    default: self = .jpeg(progressive: false)
    }
  }

  var suffix: String { if case .png = self { ".png" } else { ".jpg" } }

  var isPNG: Bool { if case .png = self { true } else { false } }
}

/// Draws a picture of the subject and encodes it as a file of this kind.
///
/// - Parameter sides: the range of the longer side, in pixels.
/// - Returns: the bytes of the file.
func photograph(
  _ subject: Subject, as kind: PictureKind, sides: ClosedRange<Int>, _ random: inout SampleRandom
) throws(ImageError) -> [UInt8] {
  let size = pictureSize(kind, sides, &random)
  let canvas = draw(subject, width: size.width, height: size.height, noisy: !kind.isPNG, &random)
  let quality = random.integer(72...95)
  let subsampling = random.pick([JPEGVariant.Subsampling.s420, .s420, .s420, .s444, .s422])
  switch kind {
  case .jpeg(let progressive):
    let variant = JPEGVariant(progressive: progressive, subsampling: subsampling)
    return try encode(pixels(canvas, channels: 3), quality: quality, variant: variant)
  case .greyJPEG:
    return try encode(pixels(canvas, channels: 1), quality: quality, variant: JPEGVariant())
  case .cmykJPEG(let ycck):
    return try encode(
      pixels(canvas, channels: 3), quality: quality,
      variant: JPEGVariant(cmyk: true, ycck: ycck, subsampling: .s444))
  case .rotatedJPEG(let orientation):
    return try encode(
      pixels(canvas.stored(orientation: orientation), channels: 3), quality: quality,
      variant: JPEGVariant(subsampling: subsampling, orientation: orientation))
  case .png(let channels):
    return try encode(pixels(canvas, channels: channels), as: .png(level: 6))
  }
}

private func pictureSize(
  _ kind: PictureKind, _ sides: ClosedRange<Int>, _ random: inout SampleRandom
) -> (width: Int, height: Int) {
  let span = Double(sides.upperBound - sides.lowerBound)
  // Very small and very large pictures are rare. A PNG is kept small, because no quality setting makes it smaller.
  let share = kind.isPNG ? random.real(0...0.35) : (random.real(0...1) + random.real(0...1)) / 2
  let long = Double(sides.lowerBound) + share * span
  let aspects: [Double] = [1, 4.0 / 3, 4.0 / 3, 3.0 / 2, 16.0 / 9]
  let aspect = random.pick(aspects) * random.real(0.96...1.04)
  // Sides are a few hundred pixels, so the conversion cannot fail.
  let (longer, shorter) = (max(Int(long), 1), max(Int(long / max(aspect, 1)), 1))
  return random.happens(0.6) ? (longer, shorter) : (shorter, longer)
}

private func pixels(_ canvas: Canvas, channels: Int) throws(ImageError) -> Pixels {
  let rgb = canvas.rgb()
  var samples = rgb
  if channels == 1 {
    samples = (0..<rgb.count / 3).map { i in
      let (red, green, blue) = (Int(rgb[3 * i]), Int(rgb[3 * i + 1]), Int(rgb[3 * i + 2]))
      let luma: Int = red * 299 + green * 587 + blue * 114
      return UInt8((luma + 500) / 1000)
    }
  } else if channels == 4 {
    samples = []
    samples.reserveCapacity(rgb.count / 3 * 4)
    for i in stride(from: 0, to: rgb.count, by: 3) { samples += [rgb[i], rgb[i + 1], rgb[i + 2], 255] }
  }
  return try Pixels(width: canvas.width, height: canvas.height, channels: channels, samples: samples.span)
}

extension Canvas {
  /// The picture as a rotated camera stores it: a reader that applies the EXIF `orientation` (1...8) sees it upright.
  func stored(orientation: Int) -> Canvas {
    let swaps = orientation >= 5
    var result = Canvas(width: swaps ? height : width, height: swaps ? width : height)
    let (lastColumn, lastRow) = (result.width - 1, result.height - 1)
    for y in 0..<height {
      for x in 0..<width {
        // Where the upright pixel (x, y) is stored.
        let (column, row) =
          switch orientation {
          case 2: (lastColumn - x, y)
          case 3: (lastColumn - x, lastRow - y)
          case 4: (x, lastRow - y)
          case 5: (y, x)
          case 6: (y, lastRow - x)
          case 7: (lastColumn - y, lastRow - x)
          case 8: (lastColumn - y, x)
          default: (x, y)
          }
        result[column, row] = self[x, y]
      }
    }
    return result
  }
}
