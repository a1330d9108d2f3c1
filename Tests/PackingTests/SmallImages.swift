import Files
import Imaging
import TestSupport

/// A small picture that no other index has, as a JPEG or PNG file.
func smallImage(_ index: Int, width: Int = 40, height: Int = 30, as encoding: Encoding = .jpeg(quality: 90))
  throws
  -> [UInt8]
{
  var generator = SplitMix64(seed: UInt64(index) &+ 1)
  let base = generator.bytes(3)
  let samples = (0..<height * width * 3).map { place in
    UInt8(truncatingIfNeeded: Int(base[place % 3]) + place / 3 % width + place / 3 / width)
  }
  return try encode(Pixels(width: width, height: height, channels: 3, samples: samples.span), as: encoding)
}

/// A folder of class folders with `count` images in each, and the list of them all.
func makeDataSet(in folder: String, classes: [String] = ["a", "b"], count: Int = 10) throws -> (
  root: String, list: String
) {
  let root = folder + "/images"
  var lines = ""
  var id = 0
  for (label, name) in classes.enumerated() {
    for index in 0..<count {
      let isPNG = index % 4 == 3
      let path = "\(name)/\(index).\(isPNG ? "png" : "jpg")"
      let image = try smallImage(
        id, width: 30 + index * 3, height: 40 + index % 5, as: isPNG ? .png(level: 1) : .jpeg(quality: 90))
      writeScratchFile(root + "/" + path, image)
      lines += "\(id)\t\(label).000000\t\(path)\n"
      id += 1
    }
  }
  writeScratchFile(folder + "/all.lst", lines.utf8)
  return (root, folder + "/all.lst")
}

/// The contents of a file, or `nil` where there is none.
func contents(_ path: String) -> [UInt8]? { try? readFile(path).bytes }
