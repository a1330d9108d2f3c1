import Imaging

/// Small pictures of every kind this program writes.
private func jpegs() throws -> [[UInt8]] {
  let samples = (0..<24 * 17 * 3).map { UInt8(truncatingIfNeeded: $0 &* $0 / 7) }
  let color = try Pixels(width: 24, height: 17, channels: 3, samples: samples.span)
  let gray = try Pixels(width: 24, height: 17, channels: 1, samples: samples.span.extracting(0..<24 * 17))
  var variant = JPEGVariant()
  var files = try [encode(color, as: .jpeg(quality: 90)), encode(gray, as: .jpeg(quality: 20))]
  for subsampling in JPEGVariant.Subsampling.allCases {
    variant.subsampling = subsampling
    variant.restartInterval = subsampling == .s444 ? 2 : 0
    files.append(try encode(color, quality: 85, variant: variant))
  }
  variant = JPEGVariant()
  variant.orientation = 6
  files.append(try encode(color, quality: 70, variant: variant))
  variant.progressive = true
  files.append(try encode(color, quality: 70, variant: variant))
  variant.progressive = false
  variant.cmyk = true
  variant.restartInterval = 1
  files.append(try encode(color, quality: 70, variant: variant))
  return files
}

/// Small pictures of every kind this program writes.
private func pngs() throws -> [[UInt8]] {
  let samples = (0..<24 * 17 * 4).map { UInt8(truncatingIfNeeded: $0 &* $0 / 7) }
  return try [1, 3, 4].map { channels in
    let part = samples.span.extracting(0..<24 * 17 * channels)
    return try encode(Pixels(width: 24, height: 17, channels: channels, samples: part), as: .png(level: 6))
  }
}

let jpegFiles = FuzzTarget(
  "jpeg", replayCount: 150,
  words: [
    [0xff, 0xd8], [0xff, 0xd9], [0xff, 0xda], [0xff, 0xc0], [0xff, 0xc2], [0xff, 0xc4], [0xff, 0xdb],
    [0xff, 0xdd],
    [0xff, 0xd0], [0xff, 0xe1], [0xff, 0xee], [0x45, 0x78, 0x69, 0x66, 0, 0], "Adobe",
  ],
  seeds: { try jpegs() },
  check: { input, _ in
    try checkRoutes(input)
    if input.count % 4 == 0 { try checkImage(input) }
  })

let pngFiles = FuzzTarget(
  "png", replayCount: 150,
  words: [
    "IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "eXIf", "zTXt", "iTXt", "sBIT",
  ],
  seeds: { try pngs() }, check: { input, _ in try checkImage(input) })
