import TestSupport
import Testing

@testable import Models

@Suite struct ParameterFileTests {
  /// What MXNet 1.9.1 writes for `nd.save(path, {'arg:w': [[1, 2], [3, 4]]})`.
  static let saved = bytes(
    hexadecimal: """
      1201000000000000 0000000000000000 0100000000000000
      c9fa93f9 00000000 02000000 0200000000000000 0200000000000000 01000000 00000000 00000000
      0000803f 00000040 00004040 00008040 0100000000000000 0500000000000000 6172673a77
      """)

  private func read(_ bytes: [UInt8], _ body: (Parameters, String) throws -> Void) throws {
    try withScratchFolder { folder in
      let path = folder + "/x.params"
      writeScratchFile(path, bytes)
      try body(try Parameters(file: path), path)
    }
  }

  private func refusal(_ bytes: [UInt8]) -> String {
    withScratchFolder { folder in
      let path = folder + "/x.params"
      writeScratchFile(path, bytes)
      let text = message { _ = try Parameters(file: path) }
      return text.hasPrefix(path + ": ") ? String(text.dropFirst(path.count + 2)) : text
    }
  }

  @Test("MXNet's bytes are read")
  func golden() throws {
    try read(Self.saved) { (parameters, _) throws in
      #expect(parameters.names == ["w"])
      #expect(parameters.shape(of: "w") == [2, 2])
      #expect(try parameters.values(of: "w") == [1, 2, 3, 4])
      #expect(parameters.shape(of: "arg:w") == nil)
      #expect(message { _ = try parameters.values(of: "v\u{1B}[m") } == #"there is no parameter v\u{1B}[m"#)
    }
  }

  @Test("MXNet's bytes are written")
  func written() throws {
    try withScratchFolder { folder in
      var writer = try ParameterWriter(folder + "/x.params", count: 1)
      try writer.append("arg:w", shape: [2, 2], [1, 2, 3, 4].span)
      #expect(scratchNames(folder) == ["x.params.partial"])
      try writer.publish()
      #expect(scratchNames(folder) == ["x.params"])
      #expect(readScratchBytes(folder + "/x.params") == Self.saved)
      #expect(
        message { _ = try ParameterWriter(folder + "/none/x.params", count: 1) }
          == "\(folder)/none/x.params: there is no folder \(folder)/none to write it in")
    }
  }

  @Test("every generation is read, and a name with a prefix or none", arguments: 0...3)
  func generations(_ version: Int) throws {
    var file = ParameterBytes()
    file.arrays = [
      .init(version: version, shape: [1, 2], data: bytes(hexadecimal: "0000803f 000000c0")),
      .init(version: version, shape: [1], data: bytes(hexadecimal: "0000c07f")),
      .init(version: version, shape: [1], data: bytes(hexadecimal: "00000000")),
    ]
    file.names = ["features.0.gamma", "aux:m", "arg:a:b"]
    try read(file.bytes) { (parameters, _) throws in
      #expect(parameters.names == ["a:b", "features.0.gamma", "m"])
      #expect(parameters.shape(of: "features.0.gamma") == [1, 2])
      #expect(try parameters.values(of: "features.0.gamma") == [1, -2])
      #expect(try parameters.nonFiniteNames() == ["m"])
    }
  }

  @Test("doubles and halves become singles, in arrays longer than a chunk")
  func kinds() throws {
    let count = 100_003
    let halves: [UInt16] = (0..<count).map { UInt16(truncatingIfNeeded: $0) }
    let doubles: [Double] = (0..<count).map { Double($0) * 0.1 }
    var file = ParameterBytes()
    file.arrays = [
      .init(shape: [count], type: 2, data: halves.flatMap { number(Int($0), 2) }),
      .init(shape: [count], type: 1, data: doubles.flatMap { number(Int($0.bitPattern), 8) }),
    ]
    file.names = ["half", "double"]
    try read(file.bytes) { (parameters, _) throws in
      let half = try parameters.values(of: "half")
      #expect(half.map(\.bitPattern) == halves.map { Float(Float16(bitPattern: $0)).bitPattern })
      #expect(try parameters.values(of: "double") == doubles.map(Float.init))
    }
  }

  @Test("a file that is cut anywhere is refused")
  func cut() {
    for count in 1..<Self.saved.count {
      let text = refusal(Array(Self.saved.prefix(count)))
      #expect(text.hasPrefix("byte ") && text.hasSuffix(" left"), "\(count): \(text)")
    }
    #expect(
      refusal(Array(Self.saved.prefix(70)))
        == "byte 64: array 0 of shape (2, 2) needs 16 bytes, 6 are left")
  }

  @Test("a file of another kind is named")
  func otherKinds() {
    let expected = "an MXNet parameter file (.params) is expected"
    #expect(refusal([]) == "this is an empty file; \(expected)")
    #expect(refusal(Array("x\n".utf8)) == "this is a text file; \(expected)")
    #expect(refusal([0x1F, 0x8B, 8, 0, 0, 0]) == "this is gzip-compressed data; \(expected)")
  }

  static let refusals: [(change: @Sendable (inout ParameterBytes) -> Void, sentence: String)] = [
    (
      { $0.magic = 0x8950_4E47 },
      "byte 0: this is not an MXNet parameter file: it starts with 0x89504e47; 0x112 is expected"
    ),
    ({ $0.after = [0, 0, 0] }, "byte 85: 3 bytes follow the last name; the end of the file is expected"),
    (
      { $0.arrayCount = -1 },
      "byte 16: the number of arrays is 18446744073709551615; at most 100000 are expected"
    ),
    ({ $0.nameCount = 0 }, "byte 64: there are 1 arrays, but 0 names; one each is expected"),
    (
      {
        $0.arrays.append(.init())
        $0.names.append("aux:a")
      }, "byte 125: the name a appears twice"
    ),
    ({ $0.names = [""] }, "byte 72: name 0 has 0 bytes; from 1 to 4096 are expected"),
    ({ $0.arrays[0].shape = [] }, "byte 32: array 0 is empty: it has no shape"),
    ({ $0.arrays[0].shape = [0] }, "byte 36: array 0 has the dimension 0; 1 or more is expected"),
    ({ $0.arrays[0].shape = [-2] }, "byte 36: array 0 has the dimension -2; 1 or more is expected"),
    (
      { $0.arrays[0].shape = Array(repeating: 1, count: 33) },
      "byte 32: array 0 has rank 33; from 1 to 32 is expected"
    ),
    (
      { $0.arrays[0].shape = [1 << 40, 1 << 40] },
      "byte 64: array 0 of shape (1099511627776, 1099511627776) needs more bytes than any file has, 29 are left"
    ),
    (
      { $0.arrays[0].shape = [1 << 62] },
      "byte 56: array 0 of shape (4611686018427387904,) needs more bytes than any file has, 29 are left"
    ),
    (
      { $0.arrays[0].shape = [3_000_000_000] },
      "byte 56: array 0 of shape (3000000000,) needs 12000000000 bytes, 29 are left"
    ),
    ({ $0.arrays[0].storage = 1 }, "byte 28: array 0 is row_sparse; dense (0) is expected"),
    ({ $0.arrays[0].storage = 9 }, "byte 28: array 0 is of storage 9; dense (0) is expected"),
    (
      {
        $0.arrays[0].type = 6
        $0.arrays[0].shape = [1]
      }, "byte 56: a holds int64; float32, float64 or float16 is expected"
    ),
    (
      {
        $0.arrays[0].type = 12
        $0.arrays[0].shape = [4]
      }, "byte 56: a holds bfloat16; float32, float64 or float16 is expected"
    ),
    (
      { $0.arrays[0].type = 13 },
      "byte 52: array 0 has type 13; 0 (float32), 1 (float64) or 2 (float16) is expected"
    ),
    (
      { $0.arrays[0].version = 4 },
      "byte 24: array 0 does not start here: 0xf993facb is neither a magic number of MXNet's arrays (0xf993fac8, 0xf993fac9, "
        + "0xf993faca) nor a rank"
    ),
    ({ $0.arrays[0] = .init(version: 0, shape: []) }, "byte 24: array 0 is empty: it has no shape"),
  ]

  @Test(
    "a file that is not a parameter file is refused in one sentence, with the byte",
    arguments: refusals.indices)
  func refused(_ index: Int) {
    var file = ParameterBytes()
    Self.refusals[index].change(&file)
    #expect(refusal(file.bytes) == Self.refusals[index].sentence)
  }

  @Test("names that are not UTF-8 are refused")
  func notUTF8() {
    var bytes = ParameterBytes().bytes
    bytes[bytes.count - 1] = 0xFF
    #expect(refusal(bytes) == "byte 80: name 0 is not UTF-8")
  }

  @Test("a file that changes after it was opened is not read as a mixture")
  func changed() throws {
    try read(Self.saved) { (parameters, path) throws in
      writeScratchFile(path, Self.saved + [0])
      #expect(
        message { _ = try parameters.values(of: "w") } == "\(path): it was changed while it was being read")
    }
  }
}
