import CFuzzer
import Foundation
import FuzzTargets

/// What libFuzzer calls is a C function, which can hold nothing; both are set before the first call, and stay.
private nonisolated(unsafe) var current: FuzzTarget?
private nonisolated(unsafe) var scratch = Scratch("/")

func run(_ target: FuzzTarget) -> Never {
  let memory = "/dev/shm"
  let base = FileManager.default.isWritableFile(atPath: memory) ? memory : "/tmp"
  let folder = "\(base)/imrec-fuzz-\(target.name)-\(getpid())"
  guard (try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)) != nil
  else { fail("\(folder) cannot be made") }
  current = target
  scratch = Scratch(folder)
  atexit { try? FileManager.default.removeItem(atPath: scratch.folder) }
  // libFuzzer does not know the target's name: it goes on where that stands.
  CommandLine.unsafeArgv[1] = CommandLine.unsafeArgv[0]
  var count = CommandLine.argc - 1
  var values: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv + 1
  let status = withUnsafeMutablePointer(to: &values) { pointer in
    pointer.withMemoryRebound(to: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.self, capacity: 1) {
      LLVMFuzzerRunDriver(&count, $0) { data, count in
        do {
          try current?.check(Array(UnsafeBufferPointer(start: data, count: count)), scratch)
        } catch {
          fatalError("\(error)")
        }
        return 0
      }
    }
  }
  exit(status)
}

func writeSeeds(of target: FuzzTarget, to folder: String) {
  do {
    for (number, seed) in try target.seeds().enumerated() {
      try Data(seed).write(to: URL(fileURLWithPath: "\(folder)/seed-\(number)"))
    }
    let lines = target.words.map { word in
      let digits = word.map { byte in
        let hex = String(byte, radix: 16)
        return "\\x" + (hex.utf8.count == 1 ? "0" + hex : hex)
      }
      return "\"\(digits.joined())\"\n"
    }
    try Data(lines.joined().utf8).write(to: URL(fileURLWithPath: folder + ".dict"))
  } catch {
    fail("the seeds of \(target.name) cannot be written: \(error)")
  }
}

func fail(_ message: String) -> Never {
  FileHandle.standardError.write(Data("fuzz: \(message)\n".utf8))
  exit(64)
}
