import Glibc

/// One way of bytes from outside into the program, and what holds for any bytes that take it.
///
/// `tools/fuzz/run` gives a target to libFuzzer; the tests replay seeds, kept inputs and some mutations of both.
public struct FuzzTarget: Sendable {
  public typealias Check = @Sendable (_ input: [UInt8], _ scratch: Scratch) throws -> Void

  public let name: String
  /// Sound inputs, made by code, from which mutations start.
  public let seeds: @Sendable () throws -> [[UInt8]]
  /// What the format is made of; a mutation puts one in.
  public let words: [[UInt8]]
  /// How many mutations the tests replay: fewer where an input takes long.
  public let replayCount: Int
  /// Looks at one input; throws `BrokenPromise`. Whatever else is wrong with an input is no fault of the program.
  public let check: Check

  init(
    _ name: String, replayCount: Int = 400, words: [Word], seeds: @escaping @Sendable () throws -> [[UInt8]],
    check: @escaping Check
  ) {
    self.name = name
    self.seeds = seeds
    self.words = words.map(\.bytes)
    self.replayCount = replayCount
    self.check = check
  }

  /// Text or bytes.
  struct Word: ExpressibleByStringLiteral, ExpressibleByArrayLiteral {
    let bytes: [UInt8]

    init(stringLiteral text: String) { bytes = Array(text.utf8) }
    init(arrayLiteral bytes: UInt8...) { self.bytes = bytes }
  }
}

/// A promise that did not hold for an input.
public struct BrokenPromise: Error, CustomStringConvertible {
  public let description: String
}

/// A promise that must hold for every input: the fuzzer keeps an input that breaks it.
func require(_ holds: Bool, _ promise: @autoclosure () -> String) throws(BrokenPromise) {
  if !holds { throw BrokenPromise(description: promise()) }
}

/// The value that `body` promises to have.
func require<Value>(_ promise: @autoclosure () -> String, _ body: () throws -> Value?) throws(BrokenPromise)
  -> Value
{
  do {
    if let value = try body() { return value }
  } catch {
    throw BrokenPromise(description: "\(promise()): \(error)")
  }
  throw BrokenPromise(description: promise())
}

/// An error that users may read.
func requireSentence(_ error: any Error) throws(BrokenPromise) {
  let sentence = "\(error)"
  try require(
    sentence.contains(" ") && sentence.utf8.count < 1 << 20,
    "an error has a sentence: \(sentence.prefix(200))")
}

/// A folder of the checks' own, for readers that take a path.
public struct Scratch: Sendable {
  public let folder: String

  public init(_ folder: String) { self.folder = folder }

  /// Puts the bytes into a file; each call of one name overwrites it.
  func file(_ bytes: [UInt8], _ name: String = "input") throws -> String {
    let path = "\(folder)/\(name)"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard descriptor >= 0 else { throw ScratchError(path: path) }
    defer { close(descriptor) }
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        write(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done)
      }
      guard count > 0 else { throw ScratchError(path: path) }
      done += count
    }
    // As one that has been left alone for long: what was written a moment ago is read after a wait only.
    var times = [timespec(tv_sec: 1_600_000_000, tv_nsec: 0), timespec(tv_sec: 1_600_000_000, tv_nsec: 0)]
    guard futimens(descriptor, &times) == 0 else { throw ScratchError(path: path) }
    return path
  }
}

struct ScratchError: Error { let path: String }

/// A seeded generator (SplitMix64: Steele, Lea, Flood 2014), for checks that choose by their input.
struct Choices: RandomNumberGenerator {
  private var state: UInt64

  init(_ input: [UInt8]) {
    state = input.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }
}

/// The bytes in pieces: what comes over a network comes in any.
func pieces(_ bytes: [UInt8], _ choices: inout Choices) -> [ArraySlice<UInt8>] {
  var (pieces, start) = ([ArraySlice<UInt8>](), 0)
  while start < bytes.count {
    let end = min(bytes.count, start + Int.random(in: 1...max(9, bytes.count / 16), using: &choices))
    pieces.append(bytes[start..<end])
    start = end
  }
  return pieces
}
