import CFuzzer
import FuzzTargets
import Glibc

// fuzz --list                  the names of the targets
// fuzz TARGET --seeds FOLDER   writes the target's seeds, and its dictionary beside the folder
// fuzz TARGET ...              all else is for libFuzzer

private func fail(_ message: String) -> Never {
  fputs("fuzz: \(message)\n", stderr)
  exit(64)
}

private let arguments = CommandLine.arguments
if arguments.count == 2, arguments[1] == "--list" {
  for target in targets { print(target.name) }
  exit(0)
}
guard arguments.count > 1, let found = targets.first(where: { $0.name == arguments[1] }) else {
  fail("a target is expected, one of: \(targets.map(\.name).joined(separator: ", "))")
}
/// What libFuzzer calls is a C function, which can hold nothing.
nonisolated(unsafe) let target = found

if arguments.count == 4, arguments[2] == "--seeds" {
  guard let seeds = try? target.seeds() else { fail("the seeds of \(target.name) cannot be made") }
  for (number, seed) in seeds.enumerated() { write(seed, to: "\(arguments[3])/seed-\(number)") }
  let lines = target.words.map { word in
    let digits = word.map { byte in
      let hex = String(byte, radix: 16)
      return "\\x" + (hex.utf8.count == 1 ? "0" + hex : hex)
    }
    return "\"\(digits.joined())\"\n"
  }
  write(Array(lines.joined().utf8), to: arguments[3] + ".dict")
  exit(0)
}

private var template = Array((access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp").utf8CString.dropLast())
template += Array("/imrec-fuzz-XXXXXX".utf8CString)
guard mkdtemp(&template) != nil else { fail("no scratch folder can be made") }
nonisolated(unsafe) let scratch = Scratch(
  String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
atexit {
  nftw(scratch.folder, { path, _, _, _ in path.map { remove($0) } ?? 0 }, 16, FTW_DEPTH | FTW_PHYS)
}

// libFuzzer does not know the target's name.
private var count = CommandLine.argc - 1
private var values: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv + 1
CommandLine.unsafeArgv[1] = CommandLine.unsafeArgv[0]
exit(
  withUnsafeMutablePointer(to: &values) { pointer in
    pointer.withMemoryRebound(to: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.self, capacity: 1) {
      LLVMFuzzerRunDriver(&count, $0) { data, count in
        do {
          try target.check(Array(UnsafeBufferPointer(start: data, count: count)), scratch)
        } catch {
          fatalError("\(error)")
        }
        return 0
      }
    }
  })

private func write(_ bytes: [UInt8], to path: String) {
  guard let file = fopen(path, "w") else { fail("\(path) cannot be written") }
  guard fwrite(bytes, 1, bytes.count, file) == bytes.count, fclose(file) == 0 else {
    fail("\(path) cannot be written")
  }
}
