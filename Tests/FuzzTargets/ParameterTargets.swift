import Models

/// An array as MXNet writes it, in one of its generations.
private func array(_ version: Int, shape: [Int], type: Int, _ data: [UInt8]) -> [UInt8] {
  var bytes: [UInt8] = []
  if version > 0 { bytes += number(0xF993_FAC7 + version, 4) }
  if version > 1 { bytes += number(0, 4) }
  bytes += number(shape.count, 4) + shape.flatMap { number($0, version > 0 ? 8 : 4) }
  return bytes + number(1, 4) + number(0, 4) + number(type, 4) + data
}

private func file(_ arrays: [[UInt8]], names: [String]) -> [UInt8] {
  number(0x112, 8) + number(0, 8) + number(arrays.count, 8) + arrays.joined() + number(names.count, 8)
    + names.flatMap { number($0.utf8.count, 8) + Array($0.utf8) }
}

private func number(_ value: Int, _ byteCount: Int) -> [UInt8] {
  (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}

let parameterFiles = FuzzTarget(
  "params",
  words: [
    [0x12, 0x01, 0, 0, 0, 0, 0, 0], [0xc8, 0xfa, 0x93, 0xf9], [0xc9, 0xfa, 0x93, 0xf9],
    [0xca, 0xfa, 0x93, 0xf9],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0x7f], "arg:", "aux:",
    [0, 0, 0, 0, 0, 0, 0, 0x80], [1, 0, 0, 0, 0, 0, 0, 0],
  ],
  seeds: {
    let numbers = [UInt8](repeating: 0x3C, count: 48)
    return [
      file([], names: []),
      file([array(2, shape: [2, 3], type: 0, Array(numbers.prefix(24)))], names: ["arg:a_weight"]),
      file(
        [
          array(0, shape: [3], type: 0, Array(numbers.prefix(12))),
          array(1, shape: [1, 3], type: 1, Array(numbers.prefix(24))),
          array(2, shape: [2, 1, 1, 3], type: 2, Array(numbers.prefix(12))),
          array(3, shape: [3], type: 0, Array(numbers.prefix(12))),
        ], names: ["arg:a", "b", "aux:c", "d\u{e9}"]),
      file([array(2, shape: [2], type: 4, Array(numbers.prefix(8)))], names: ["a"]),
    ]
  },
  check: { input, scratch in
    let path = try scratch.file(input)
    let parameters: Parameters
    do throws(ModelError) {
      parameters = try Parameters(file: path)
    } catch {
      return try requireSentence(error)
    }
    var total = 0
    for name in parameters.names {
      guard let shape = parameters.shape(of: name), let values = try? parameters.values(of: name) else {
        throw BrokenPromise(description: "an array of the directory can be read")
      }
      try require(!shape.isEmpty && shape.allSatisfy { $0 >= 1 }, "a shape has no empty side")
      try require(shape.reduce(1, *) == values.count, "there is a number for each place of the shape")
      total += values.count
    }
    try require(total * 2 <= input.count, "the numbers come from the file")
    try require((try? parameters.nonFiniteNames()) != nil, "the numbers can be looked at")
  })
