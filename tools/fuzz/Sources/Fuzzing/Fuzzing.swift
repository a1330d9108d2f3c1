import CFuzzer
import Glibc

/// What libFuzzer calls with each input; a C function, so it can hold nothing.
public typealias Check = @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32

/// Runs a fuzz target: `<target> --seeds FOLDER` writes its seeds and its dictionary, all else is for libFuzzer.
///
/// - Parameters:
///   - seeds: sound inputs, made by code, from which libFuzzer starts.
///   - dictionary: words of the format, one entry of a libFuzzer dictionary each, for example `"\x0a\x23"`.
///   - check: looks at one input; ends in `require` when a promise is broken; returns 0.
public func fuzz(seeds: () throws -> [[UInt8]], dictionary: [String], check: Check) -> Never {
  let arguments = CommandLine.arguments
  if arguments.count == 3 && arguments[1] == "--seeds" {
    guard let seeds = try? seeds() else { fatalError("the seeds cannot be made") }
    for (number, seed) in seeds.enumerated() { write(seed, to: "\(arguments[2])/seed-\(number)") }
    write(Array(dictionary.map { $0 + "\n" }.joined().utf8), to: arguments[2] + ".dict")
    exit(0)
  }
  var count = CommandLine.argc
  var values: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
  let status = withUnsafeMutablePointer(to: &values) { pointer in
    pointer.withMemoryRebound(to: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.self, capacity: 1) {
      LLVMFuzzerRunDriver(&count, $0, check)
    }
  }
  exit(status)
}

/// A promise that must hold for every input: the fuzzer keeps an input that breaks it.
public func require(_ holds: Bool, _ promise: String) {
  if !holds { fatalError(promise) }
}

/// The input's bytes.
public func bytes(_ data: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8] {
  Array(UnsafeBufferPointer(start: data, count: count))
}

/// The input as a file in memory, for readers that take a path. There is one such file; each call overwrites it.
public func file(_ bytes: [UInt8]) -> String {
  require(
    ftruncate(memoryFile, 0) == 0
      && bytes.withUnsafeBytes { pwrite(memoryFile, $0.baseAddress, $0.count, 0) } == bytes.count,
    "the input can be written to memory")
  return "/proc/self/fd/\(memoryFile)"
}

private let memoryFile: Int32 = {
  let descriptor = fuzzer_memory_file()
  require(descriptor >= 0, "a file in memory can be made")
  return descriptor
}()

private func write(_ bytes: [UInt8], to path: String) {
  guard let file = fopen(path, "w") else { fatalError("\(path) cannot be written") }
  require(fwrite(bytes, 1, bytes.count, file) == bytes.count && fclose(file) == 0, "\(path) can be written")
}
