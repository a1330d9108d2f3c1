import Glibc
import Imaging
import TestSupport
import Testing

/// The pictures and tables that tools/oracle/goldens/imaging.py wrote with OpenCV.
enum CodecGoldens {
  static let folder = String(#filePath.dropLast("CodecGoldens.swift".count)) + "Goldens/codec/"

  struct Decoded: Sendable, CustomTestStringConvertible {
    let name: String
    let color: ColorMode
    let width: Int, height: Int, channels: Int, sampleByteCount: Int
    let checksum: UInt32
    var testDescription: String { "\(name) as \(color)" }
  }
  static let decoded = decodedTable("decode.tsv")
  /// Damaged pictures as OpenCV decodes them; the width is 0 if it does not.
  static let damaged = decodedTable("damaged.tsv")

  struct Encoded: Sendable, CustomTestStringConvertible {
    let name: String
    let color: ColorMode
    let quality: Int, byteCount: Int
    let checksum: UInt32
    var testDescription: String { "\(name) as \(color) at \(quality)" }
  }
  static let encoded = table("encode.tsv").map { row in
    Encoded(
      name: row[0], color: ColorMode(rawValue: row[1])!, quality: Int(row[2])!, byteCount: Int(row[3])!,
      checksum: UInt32(row[4], radix: 16)!)
  }

  static func picture(_ name: String) -> [UInt8] { contents(folder + "pictures/" + name) }

  private static func decodedTable(_ name: String) -> [Decoded] {
    table(name).map { row in
      Decoded(
        name: row[0], color: ColorMode(rawValue: row[1])!, width: Int(row[2])!, height: Int(row[3])!,
        channels: Int(row[4])!, sampleByteCount: Int(row[5])!, checksum: UInt32(row[6], radix: 16)!)
    }
  }

  private static func table(_ name: String) -> [[String]] {
    String(decoding: contents(folder + name), as: UTF8.self).split(separator: "\n").map { line in
      line.split(separator: "\t").map(String.init)
    }
  }
}

/// A whole file; stops the tests where it cannot be read.
func contents(_ path: String) -> [UInt8] {
  guard let file = fopen(path, "rb") else { preconditionFailure("\(path) can be read") }
  defer { fclose(file) }
  var all: [UInt8] = []
  var part = [UInt8](repeating: 0, count: 1 << 16)
  while case let count = fread(&part, 1, part.count, file), count > 0 { all += part[..<count] }
  return all
}

/// CRC-32 as zlib computes it.
func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
  var crc: UInt32 = 0xffff_ffff
  for byte in bytes {
    crc ^= UInt32(byte)
    for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 0 ? 0 : 0xedb8_8320) }
  }
  return ~crc
}

/// A decoded picture as plain values, which tests can compare.
struct Picture: Equatable {
  let width: Int, height: Int, channels: Int, sampleByteCount: Int
  let bytes: [UInt8]

  init(_ pixels: borrowing Pixels) {
    width = pixels.width
    height = pixels.height
    channels = pixels.channels
    sampleByteCount = pixels.depth.rawValue
    bytes = pixels.withBytes { span in span.withUnsafeBytes { Array($0) } }
  }

  init(file: [UInt8], _ options: DecodeOptions = DecodeOptions()) throws(ImageError) {
    self.init(try decode(file.span, options))
  }

  private init(width: Int, height: Int, like other: Picture, _ bytes: [UInt8]) {
    self.width = width
    self.height = height
    channels = other.channels
    sampleByteCount = other.sampleByteCount
    self.bytes = bytes
  }

  func pixel(_ x: Int, _ y: Int) -> ArraySlice<UInt8> {
    let size = channels * sampleByteCount
    let start = (y * width + x) * size
    return bytes[start..<start + size]
  }

  func crop(_ window: Window) -> Picture {
    let rows = window.y..<window.y + window.height
    let size = channels * sampleByteCount
    let kept = rows.flatMap { y in
      bytes[(y * width + window.x) * size..<(y * width + window.x + window.width) * size]
    }
    return Picture(width: window.width, height: window.height, like: self, kept)
  }

  /// Rotated upright by the EXIF orientation, pixel by pixel.
  func turned(_ orientation: Int) -> Picture {
    let isTransposed = orientation >= 5
    let (newWidth, newHeight) = isTransposed ? (height, width) : (width, height)
    var turned: [UInt8] = []
    for y in 0..<newHeight {
      for x in 0..<newWidth {
        switch orientation {
        case 2: turned += pixel(width - 1 - x, y)
        case 3: turned += pixel(width - 1 - x, height - 1 - y)
        case 4: turned += pixel(x, height - 1 - y)
        case 5: turned += pixel(y, x)
        case 6: turned += pixel(y, height - 1 - x)
        case 7: turned += pixel(width - 1 - y, height - 1 - x)
        case 8: turned += pixel(width - 1 - y, x)
        default: turned += pixel(x, y)
        }
      }
    }
    return Picture(width: newWidth, height: newHeight, like: self, turned)
  }
}

/// A smooth picture with noise, the same for the same numbers.
func drawn(width: Int, height: Int, channels: Int = 3, seed: UInt64 = 1) throws -> Pixels {
  var random = SplitMix64(seed: seed)
  var samples: [UInt8] = []
  samples.reserveCapacity(width * height * channels)
  for y in 0..<height {
    for x in 0..<width {
      for channel in 0..<channels {
        let slope = (x * (3 + channel) + y * (5 - channel) + (x * y) / 16) & 255
        samples.append(UInt8(min(slope, 255 - slope) + Int(random.next() & 63)))
      }
    }
  }
  return try Pixels(width: width, height: height, channels: channels, samples: samples.span)
}
