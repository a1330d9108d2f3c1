import Files
import Foundation
import Models
import SageMaker

// Archives of models, and gzip.

private func field(_ text: String, _ count: Int) -> [UInt8] {
  Array(text.utf8.prefix(count)) + [UInt8](repeating: 0, count: max(0, count - text.utf8.count))
}

/// An entry of a tar archive. Kinds: "0" file, "1" hard link, "2" link, "5" folder.
private func entry(_ name: String, _ content: [UInt8] = [], kind: String = "0", link: String = "") -> [UInt8]
{
  let size = String(content.count, radix: 8)
  var header = field(name, 100) + field("0000644", 8) + field("0000000", 8) + field("0000000", 8)
  header += field(String(repeating: "0", count: 11 - size.utf8.count) + size, 12) + field("00000000000", 12)
  header += [UInt8](repeating: 0x20, count: 8) + field(kind, 1) + field(link, 100) + field("ustar", 6)
  header += field("00", 2) + [UInt8](repeating: 0, count: 247)
  return fixed(header) + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
}

/// With the header's checksum.
private func fixed(_ header: [UInt8]) -> [UInt8] {
  var header = header
  header.replaceSubrange(148..<156, with: [UInt8](repeating: 0x20, count: 8))
  let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
  header.replaceSubrange(
    148..<156, with: field(String(repeating: "0", count: 6 - sum.utf8.count) + sum, 7) + [0x20])
  return header
}

private let symbol = Array(
  #"""
  {"nodes":[{"op":"null","name":"data","inputs":[]},{"op":"null","name":"fc_weight","inputs":[]},
  {"op":"null","name":"fc_bias","inputs":[]},{"op":"FullyConnected","name":"x","attrs":{"num_hidden":"2"},
  "inputs":[[0,0],[1,0],[2,0]]},{"op":"softmax","name":"softmax","inputs":[[3,0]]}],"heads":[[4,0]]}
  """#.utf8)

private func parameters() throws -> [UInt8] {
  let path = NSTemporaryDirectory() + "/imrec-fuzz-archive-\(getpid())"
  defer { unlink(path) }
  let arrays = [
    ("arg:fc_weight", Parameters.Array(shape: [2, 12], values: [Float](repeating: 0.5, count: 24))),
    ("arg:fc_bias", Parameters.Array(shape: [2], values: [0, 1])),
  ]
  try ParameterWriter.write(path, arrays.map(\.0)) { (index) throws(ModelError) in arrays[index].1 }
  return try readFile(path).bytes
}

private func archive(_ more: [UInt8] = [], folder: String = "") throws -> [UInt8] {
  try entry(folder + "m-0003.params", parameters()) + entry(folder + "m-symbol.json", symbol)
    + entry(folder + "model-shapes.json", Array(#"[{"shape": [1, 3, 2, 2], "name": "data"}]"#.utf8)) + more
    + [UInt8](repeating: 0, count: 1024)
}

/// CRC-32 of gzip and PNG.
private func checksum(_ bytes: [UInt8]) -> UInt32 {
  ~bytes.reduce(UInt32.max) { crc, byte in
    (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
  }
}

private func littleEndian(_ value: Int, _ byteCount: Int) -> [UInt8] {
  (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}

/// The bytes as a gzip file that stores them, in blocks.
private func gzip(_ bytes: [UInt8]) -> [UInt8] {
  var (file, rest): ([UInt8], ArraySlice) = ([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], bytes[...])
  repeat {
    let block = rest.prefix(60_000)
    rest = rest.dropFirst(block.count)
    file += [rest.isEmpty ? 1 : 0] + littleEndian(block.count, 2) + littleEndian(~block.count, 2) + block
  } while !rest.isEmpty
  return file + littleEndian(Int(checksum(bytes)), 4) + littleEndian(bytes.count, 4)
}

/// The checksums of the headers are mended first: few mutations would come behind the first one otherwise.
let archives = FuzzTarget(
  "archive", replayCount: 200,
  words: [
    "../", "/", "m-0003.params", "m-symbol.json", "model-shapes.json", "classes.txt", "preprocess.json", "._",
    "ustar", "1", "2", "L",
    "x", "g", "S",
    [0xcc, 0x81], [0x80, 0, 0, 0, 0, 0, 0, 1], "path=../x\n", "30 size=99999999999999999999\n",
    "GNU.sparse.map",
  ],
  seeds: {
    try [
      archive(), archive(folder: "./a/"), gzip(archive()),
      archive(entry("classes.txt", Array("a\nb\n".utf8))),
      archive(entry("._m-symbol.json", [0, 5, 0x16, 7])),
      archive(
        entry("preprocess.json", Array(#"{"resize":2,"shape":[3,2,2],"mean":[1,2,3],"std":[4,5,6]}"#.utf8))),
      archive(entry("../../x", [1])), archive(entry("m-0004.params", [], kind: "2", link: "/etc/passwd")),
      archive(entry("sub/", [], kind: "5")),
      archive(entry("pax", Array("20 path=../../x.jpg\n".utf8), kind: "x")),
    ]
  },
  check: { input, scratch in
    var bytes = input
    for start in stride(from: 0, to: bytes.count, by: 512) where bytes.count - start >= 512 {
      let header = bytes[start..<start + 512]
      guard header.dropFirst(257).prefix(5).elementsEqual("ustar".utf8) else { continue }
      bytes.replaceSubrange(start..<start + 512, with: fixed(Array(header)))
    }
    let folder = scratch.folder + "/archives"
    try makeFolder(folder)
    let path = try scratch.file(bytes, "archives/model.tar")
    let limit = 1 << 20
    func read() throws -> Model? {
      do throws(ModelError) {
        return try Model(path, limit: limit)
      } catch {
        try requireSentence(error)
        try require(
          !error.description.unicodeScalars.contains { $0.value < 0x20 },
          "nothing of a file commands a terminal")
        return nil
      }
    }
    let model = try read()
    for name in [folder, scratch.folder] {
      let found = (try? FileManager.default.contentsOfDirectory(atPath: name)) ?? []
      try require(
        found.allSatisfy { ["model.tar", "archives"].contains($0) },
        "nothing is written of an archive: \(found)")
    }
    guard let model else { return }
    for parameter in model.graph.parameters {
      let values = try require("every parameter can be read") {
        try model.parameters.values(of: parameter.name)
      }
      try require(values.count == parameter.shape.reduce(1, *), "every parameter has its numbers")
    }
    let byteCount = model.parameters.names.reduce((model.classes?.count ?? 0) + (model.preset?.count ?? 0)) {
      $0 + 2 * (model.parameters.shape(of: $1)?.reduce(1, *) ?? 0)
    }
    try require(byteCount <= limit, "an archive unpacks to no more than is allowed")
    let again = try require("an archive is read twice") { try read() }
    try require(
      again.epoch == model.epoch && again.classes == model.classes
        && again.graph.inputShape == model.graph.inputShape,
      "an archive is read to the same")
  })

let gzipFiles = FuzzTarget(
  "gzip",
  words: [[0x1f, 0x8b, 8], [0, 0, 0xff, 0xff], [3, 0], [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, 2, 0, 0, 0]],
  seeds: {
    let compressed: [UInt8] = [
      0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0x4b, 0x4c, 0x4a, 0x4e, 0x49, 0x4d, 0x4b, 0x4c, 0x4a, 0x4e, 0x49,
      0x4d, 3, 0,
    ]
    return [
      [], gzip([]), gzip(Array("abc".utf8)), gzip(Array("abc".utf8)) + gzip(Array("defg".utf8)),
      compressed + littleEndian(Int(checksum(Array("abcdefabcdef".utf8))), 4) + littleEndian(12, 4),
    ]
  },
  check: { input, scratch in
    let target = try scratch.file([1, 2, 3], "target")
    func unpack(_ bytes: [UInt8]) throws -> [UInt8]? {
      do {
        try unpackGzip(scratch.file(bytes), to: target)
        // Not as `readFile` does, which waits until a file that was just written rests.
        return try readStart(of: target, byteCount: .max)
      } catch {
        try requireSentence(error)
        return nil
      }
    }
    if try unpack(input) == nil {
      try require(
        try readStart(of: target, byteCount: .max) == [1, 2, 3],
        "a file that cannot be unpacked leaves its target alone")
    } else {
      try require(try unpack(Array(input.dropLast())) == nil, "half a file is none")
    }
    let packed = gzip(input)
    // Half of the promises each, chosen by the length, which most mutations change.
    guard input.count % 2 == 1 else {
      try require(try unpack(packed) == input, "what is packed is unpacked")
      return try require(try unpack(packed + packed) == input + input, "parts follow each other")
    }
    var choices = Choices(input)
    var changed = packed
    let place = Int.random(in: 10..<packed.count, using: &choices)
    changed[place] ^= 1 << UInt8.random(in: 0..<8, using: &choices)
    let found = try unpack(changed)
    try require(found == nil || found == input, "what was changed is noticed: byte \(place)")
    let cut = Int.random(in: 0..<packed.count, using: &choices)
    try require(try unpack(Array(packed[..<cut])) == nil, "what was cut is noticed: byte \(cut)")
  })
