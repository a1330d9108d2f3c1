import Fuzzing
import Imaging
import Pictures

/// Small pictures of every kind this program writes.
func pictures() throws -> [[UInt8]] {
  let samples = (0..<24 * 17 * 4).map { UInt8(truncatingIfNeeded: $0 &* $0 / 7) }
  return try [1, 3, 4].map { channels in
    let part = samples.span.extracting(0..<24 * 17 * channels)
    return try encode(Pixels(width: 24, height: 17, channels: channels, samples: part), as: .png(level: 6))
  }
}

fuzz(
  seeds: pictures,
  dictionary: [
    "IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "eXIf", "zTXt", "iTXt", "sBIT",
  ]
  .map { "\"\($0)\"" },
  check: { data, count in
    let input = bytes(data, count)
    checkImage(input)
    return 0
  })
