import Fuzzing
import Imaging
import Pictures

/// Small pictures of every kind this program writes.
func pictures() throws -> [[UInt8]] {
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

fuzz(
  seeds: pictures,
  dictionary: [
    #""\xff\xd8""#, #""\xff\xd9""#, #""\xff\xda""#, #""\xff\xc0""#, #""\xff\xc2""#, #""\xff\xc4""#,
    #""\xff\xdb""#,
    #""\xff\xdd""#, #""\xff\xd0""#, #""\xff\xe1""#, #""\xff\xee""#, #""Exif\x00\x00""#, #""Adobe""#,
  ],
  check: { data, count in
    let input = bytes(data, count)
    checkRoutes(input)
    if count % 4 == 0 { checkImage(input) }
    return 0
  })
