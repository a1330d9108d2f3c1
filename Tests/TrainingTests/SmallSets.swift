import Files
import Imaging
import Records
import TestSupport

@testable import Training

/// A small PNG file that no other number has.
func smallImage(_ number: Int, width: Int = 12, height: Int = 10) throws -> [UInt8] {
  var generator = SplitMix64(seed: UInt64(number))
  let samples = generator.bytes(width * height * 3)
  return try encode(
    Pixels(width: width, height: height, channels: 3, samples: samples.span), as: .png(level: 1))
}

let noImage: [UInt8] = [1, 2, 3]

/// Records with one label each: image `number` of class `labels[number]`; those in `broken` cannot be decoded.
func writeRecords(_ path: String, labels: [Float], broken: Set<Int> = [], with noImage: [UInt8] = noImage)
  throws
{
  var file: [UInt8] = []
  for (number, label) in labels.enumerated() {
    let image = try broken.contains(number) ? noImage : smallImage(number)
    try appendRecord(ImageHeader(label: label, id: UInt64(100 + number)), image: image.span, to: &file)
  }
  writeScratchFile(path, file)
}
