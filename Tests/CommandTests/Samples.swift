import Imaging
import TestSupport

let imrec = Program("imrec")

/// A small picture with a gradient that depends on the seed.
func picture(_ width: Int = 32, _ height: Int = 24, seed: Int = 1) throws -> Pixels {
  var samples: [UInt8] = []
  for y in 0..<height {
    for x in 0..<width {
      for channel in 0..<3 {
        samples.append(
          UInt8(truncatingIfNeeded: x &* (seed % 7 + 1) &+ y &* (seed % 5 + 1) &+ seed &* 31 &+ channel &* 50)
        )
      }
    }
  }
  return try Pixels(width: width, height: height, channels: 3, samples: samples.span)
}

func jpeg(_ width: Int = 32, _ height: Int = 24, seed: Int = 1) throws -> [UInt8] {
  try encode(try picture(width, height, seed: seed), as: .jpeg(quality: 90))
}

func png(_ width: Int = 32, _ height: Int = 24, seed: Int = 1) throws -> [UInt8] {
  try encode(try picture(width, height, seed: seed), as: .png(level: 6))
}

/// Class folders `a`, `b`, ... with images `00.jpg`, `01.png`, ... of different sizes.
func writeClasses(_ root: String, classes: Int = 2, each: Int = 6) throws {
  for label in 0..<classes {
    let name = String(UnicodeScalar(UInt8(ascii: "a") + UInt8(label)))
    for number in 0..<each {
      let size = (24 + number * 7 % 20, 20 + number * 5 % 16)
      let seed = label * 100 + number
      let path = "\(root)/\(name)/\(number < 10 ? "0" : "")\(number)"
      if number % 2 == 0 {
        writeScratchFile(path + ".jpg", try jpeg(size.0, size.1, seed: seed))
      } else {
        writeScratchFile(path + ".png", try png(size.0, size.1, seed: seed))
      }
    }
  }
}

/// Runs `body` in a folder with `photos`, and with `in.rec`, `in.idx` and `in.lst` made of them.
func withRecords(classes: Int = 2, each: Int = 6, _ body: (String) throws -> Void) throws {
  try withScratchFolder { folder in
    try writeClasses(folder + "/photos", classes: classes, each: each)
    let listed = imrec.run(["list", "photos", "in", "--quiet"], in: folder)
    precondition(listed.status == 0, "\(listed)")
    let packed = imrec.run(["pack", "in.lst", "photos", "--quiet"], in: folder)
    precondition(packed.status == 0, "\(packed)")
    try body(folder)
  }
}

/// The files of a folder under their final names, with their bytes; not the locks that a killed run left.
func finalFiles(_ folder: String) -> [String: [UInt8]] {
  var files: [String: [UInt8]] = [:]
  for name in scratchNames(folder) where !name.hasSuffix(".partial") && !name.hasSuffix(".imrec.lock") {
    if let bytes = readScratchBytes("\(folder)/\(name)") { files[name] = bytes }
  }
  return files
}
