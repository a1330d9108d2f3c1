import TestSupport
import Testing

@testable import Models

/// Makes tar archives block by block, also those that no tool would.
struct TarBytes {
  private(set) var bytes: [UInt8] = []

  /// - Parameters:
  ///   - kind: "0" file, "1" hard link, "2" link, "3" device, "5" folder.
  ///   - size: what the header says, where it lies.
  mutating func add(
    _ name: String, _ content: [UInt8] = [], kind: Character = "0", link: String = "", size: Int? = nil
  ) {
    func field(_ text: String, _ count: Int) -> [UInt8] {
      Array(text.utf8.prefix(count)) + [UInt8](repeating: 0, count: max(0, count - text.utf8.count))
    }
    let octal = String(size ?? content.count, radix: 8)
    var header = field(name, 100) + field("0000644", 8) + field("0000000", 8) + field("0000000", 8)
    header += field(String(repeating: "0", count: 11 - octal.count) + octal, 12) + field("00000000000", 12)
    header += Array(repeating: 0x20, count: 8) + [kind.asciiValue ?? 0] + field(link, 100) + field("ustar", 6)
    header += field("00", 2) + [UInt8](repeating: 0, count: 247)
    let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
    header.replaceSubrange(
      148..<156, with: field(String(repeating: "0", count: 6 - sum.count) + sum, 7) + [0x20])
    bytes += header + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
  }

  var whole: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }
}

@Suite struct ArchiveTests {
  private static func model(_ folder: String = "", epochs: [Int] = [3]) -> TarBytes {
    var tar = TarBytes()
    for epoch in epochs {
      tar.add("\(folder)m-\("0000\(epoch)".suffix(4)).params", ModelTests.parameters(bias: UInt8(epoch)))
    }
    tar.add(folder + "m-symbol.json", Array(ModelTests.symbol.json.utf8))
    tar.add(folder + "model-shapes.json", Array(ModelTests.shapes.utf8))
    return tar
  }

  private func open(_ bytes: [UInt8], epoch: Int? = nil, limit: Int = Model.standardLimit) throws -> Model {
    try withScratchFolder { (folder) throws in
      writeScratchFile(folder + "/model.tar", bytes)
      return try Model(folder + "/model.tar", epoch: epoch, limit: limit)
    }
  }

  private func refusal(_ bytes: [UInt8], limit: Int = Model.standardLimit) -> String {
    withScratchFolder { folder in
      writeScratchFile(folder + "/model.tar", bytes)
      let text = message { _ = try Model(folder + "/model.tar", limit: limit) }
      #expect(scratchNames(folder) == ["model.tar"])
      return text.replacing(folder + "/model.tar: ", with: "")
    }
  }

  @Test(
    "an archive is read wherever its folder is, and outlives its file",
    arguments: ["", "./", "model/", "./a/b/"])
  func archive(_ folder: String) throws {
    var tar = TarBytes()
    tar.add(folder.isEmpty ? "x/" : folder, kind: "5")
    tar.add("elsewhere/code.py", Array("import os".utf8))
    let model = try open(tar.bytes + Self.model(folder, epochs: [2, 9, 4]).whole)
    #expect(model.epoch == 9)
    #expect(model.shapeSource == .shapesFile)
    #expect(try model.parameters.values(of: "fc_bias")[0] == Float(bitPattern: 0x3F09_0000))
    #expect(try open(Self.model(folder, epochs: [2, 9, 4]).whole, epoch: 4).epoch == 4)
  }

  @Test("a compressed archive that was changed or cut anywhere is refused, not read with other weights")
  func damaged() throws {
    let whole = Self.gzip(Self.model().whole)
    #expect(try open(whole).epoch == 3)
    #expect(try open(whole + Array("rest".utf8)).epoch == 3)
    for place in stride(from: 15, to: whole.count, by: 97) + [whole.count - 8, whole.count - 1] {
      var changed = whole
      changed[place] ^= 4
      #expect(!refusal(changed).isEmpty, "byte \(place)")
    }
    for byteCount in [whole.count - 1, whole.count - 8, whole.count - 500] {
      #expect(!refusal(Array(whole.prefix(byteCount))).isEmpty, "\(byteCount) bytes")
    }
    var weight = whole
    weight[15 + 512 + 300] ^= 1
    #expect(refusal(weight).hasPrefix("the archive is damaged: incorrect data check"))
  }

  /// The bytes as a gzip file that stores them (RFC 1951 and 1952).
  private static func gzip(_ bytes: [UInt8]) -> [UInt8] {
    func number(_ value: Int, _ byteCount: Int) -> [UInt8] {
      (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    var (file, rest): ([UInt8], ArraySlice) = ([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], bytes[...])
    repeat {
      let block = rest.prefix(60_000)
      rest = rest.dropFirst(block.count)
      file += [rest.isEmpty ? 1 : 0] + number(block.count, 2) + number(~block.count, 2) + block
    } while !rest.isEmpty
    let sum = ~bytes.reduce(UInt32.max) { sum, byte in
      (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in sum >> 1 ^ (sum & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
    return file + number(Int(sum), 4) + number(bytes.count, 4)
  }

  @Test("a compressed archive made by tar is read", .enabled(if: Program.isInstalled("tar")))
  func compressed() throws {
    try withScratchFolder { (folder) throws in
      ModelTests.write(folder + "/m", epochs: [1, 2])
      let tar = try #require(Program(installed: "tar"))
      #expect(tar.run(["-czf", "model.tar.gz", "-C", "m", "."], in: folder).status == 0)
      #expect(try Model(folder + "/model.tar.gz").graph == Model(folder + "/m").graph)
      let bytes = try #require(readScratchBytes(folder + "/model.tar.gz"))
      writeScratchFile(folder + "/model.tar.gz", bytes.prefix(bytes.count / 2))
      #expect(
        message { _ = try Model(folder + "/model.tar.gz") }.hasPrefix(
          "\(folder)/model.tar.gz: this is neither a folder nor a complete tar archive: "))
    }
  }

  static let refusals: [(change: @Sendable (inout TarBytes) -> Void, sentence: String)] = [
    ({ $0.add("../m-0009.params", [1]) }, "../m-0009.params: an entry leads out of the archive"),
    ({ $0.add("../\u{301}x", [1]) }, "../\u{301}x: an entry leads out of the archive"),
    ({ $0.add("a/../../x", [1]) }, "a/../../x: an entry leads out of the archive"),
    ({ $0.add("/etc/passwd", [1]) }, "/etc/passwd: an entry leads out of the archive"),
    (
      { $0.add("x", kind: "2", link: "/etc/passwd") },
      "x: an entry is a link or a device; regular files are expected"
    ),
    (
      { $0.add("classes.txt", kind: "1", link: "m-symbol.json") },
      "classes.txt: an entry is a link or a device; regular files are expected"
    ),
    ({ $0.add("x", kind: "3") }, "x: an entry is a link or a device; regular files are expected"),
    ({ $0.add("x", kind: "6") }, "x: an entry is a link or a device; regular files are expected"),
    (
      { $0.add("other/m-symbol.json", [1]) },
      "there are model files in two folders,  and other; one is expected"
    ),
    ({ $0.add("model-shapes.json", [1]) }, "model-shapes.json appears twice in the archive"),
    ({ $0.add("n-symbol.json", [1]) }, "there are 2 models (m-symbol.json, n-symbol.json); one is expected"),
    (
      { $0.add("classes.txt", size: 17 << 20) },
      "classes.txt: it has 17825792 bytes, more than the 16777216 allowed here"
    ),
  ]

  @Test("an archive with anything but files below it is refused", arguments: refusals.indices)
  func refused(_ index: Int) {
    var tar = Self.model()
    Self.refusals[index].change(&tar)
    #expect(refusal(tar.whole) == Self.refusals[index].sentence)
  }

  @Test("an archive that unpacks to too much is refused before it is unpacked")
  func bombs() {
    var tar = Self.model()
    tar.add("zeros", size: 8 << 30 - 1)
    let limit = (64 << 20) + 200 * (tar.whole.count)
    #expect(
      refusal(tar.whole)
        == "zeros: with this entry of \((8 << 30) - 1) bytes the archive unpacks to more than \(limit) bytes")
    #expect(
      refusal(Self.model().whole, limit: 400)
        == "m-symbol.json: with this entry of \(ModelTests.symbol.json.utf8.count) bytes the archive unpacks to more "
        + "than 400 bytes")
    tar = TarBytes()
    for index in 0...10_000 { tar.add("x\(index)") }
    #expect(refusal(tar.whole) == "it has more than 10000 entries")
  }

  @Test(
    "a file that is not an archive is refused with what it is",
    arguments: [
      ([], "this is an empty file; "), (Array("hello".utf8), "this is a text file; "),
      ([0x1F, 0x8B, 8, 0, 0, 0], "this is neither a folder nor a complete tar archive: "),
      ([0xB1, 2, 3], "this is not a known kind of model (it begins with b1 02 03); "),
    ] as [([UInt8], String)])
  func noArchive(_ bytes: [UInt8], _ sentence: String) {
    #expect(refusal(bytes).hasPrefix(sentence), "\(refusal(bytes))")
  }

  @Test("what is compressed is named where it is no archive", .enabled(if: Program.isInstalled("gzip")))
  func compressedKinds() throws {
    try withScratchFolder { (folder) throws in
      let gzip = try #require(Program(installed: "gzip"))
      writeScratchFile(folder + "/x.onnx", ONNXTests.residual())
      #expect(gzip.run(["x.onnx"], in: folder).status == 0)
      #expect(
        message { _ = try Model(folder + "/x.onnx.gz") }
          == "\(folder)/x.onnx.gz: this is gzip-compressed, with an ONNX model in it; a tar archive is expected"
      )
    }
  }

  @Test("an archive's litter is passed over, also beside the model and in folders of its own")
  func litter() throws {
    var tar = TarBytes()
    for name in ["._m-symbol.json", "./._m-0003.params", "__MACOSX/m-symbol.json", "._m-0004.params"] {
      tar.add(name, [0, 5, 0x16, 7])
    }
    let model = try open(tar.bytes + Self.model().whole)
    #expect(model.epoch == 3 && model.warnings.isEmpty)
  }

  @Test("an archive of another kind of model says so")
  func otherModels() {
    var tar = TarBytes()
    tar.add("model.onnx", [8])
    tar.add("code/inference.py", [1])
    #expect(
      refusal(tar.whole)
        == "there is no *-symbol.json in it, but model.onnx; unpack it and name a .safetensors or .onnx file itself"
    )
  }

  @Test("models whose names differ in form only are two")
  func forms() {
    var tar = Self.model()
    tar.add("caf\u{e9}-symbol.json", [1])
    tar.add("cafe\u{301}-symbol.json", [1])
    #expect(
      refusal(tar.whole)
        == "there are 3 models (cafe\u{301}-symbol.json, caf\u{e9}-symbol.json, m-symbol.json); one is expected"
    )
  }
}
