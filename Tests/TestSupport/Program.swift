import Glibc

/// A program that was built beside the tests, run as its users run it: no shell, no inherited files.
public struct Program: Sendable {
  public let path: String

  /// - Parameter name: of an executable target.
  public init(_ name: String) {
    // The test bundle is a program in the folder of the build: .build/debug/imrecPackageTests.xctest.
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    let bundle = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    path =
      bundle.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/"
      + name
    precondition(access(path, X_OK) == 0, "\(path) is built")
  }

  /// - Parameter name: of a program of the system; `nil` where it is not there.
  public init?(installed name: String) {
    let folders = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    guard
      let folder = folders.split(separator: ":").first(where: { access("\($0)/\(name)", X_OK) == 0 })
    else { return nil }
    path = "\(folder)/\(name)"
  }

  /// Whether a program of the system is there: "strace".
  public static func isInstalled(_ name: String) -> Bool {
    Program(installed: name) != nil
  }

  /// Where a standard stream leads.
  public enum Stream: Sendable {
    /// Output is kept for the test; input is empty.
    case standard
    case closed
    case file(String)
  }

  /// Runs the program to its end.
  ///
  /// - Parameters:
  ///   - wrapper: a command in front of the program: `["prlimit", "--fsize=1000"]`.
  ///   - seconds: a program that takes longer is killed, and has hung.
  ///   - meanwhile: called with the process id while the program runs, for example to send it signals.
  public func run(
    _ arguments: [String], in folder: String, environment: [String: String] = [:], wrapper: [String] = [],
    input: Stream = .standard, output: Stream = .standard, errors: Stream = .standard, seconds: Double = 60,
    meanwhile: (pid_t) -> Void = { _ in }
  ) -> ProgramRun {
    withScratchFolder { scratch in
      let outputs = [scratch + "/out", scratch + "/err"]
      let pid = start(
        ["/usr/bin/env", "-C", folder] + wrapper + [path] + arguments, environment,
        streams: [
          (input, "/dev/null", O_RDONLY), (output, outputs[0], O_WRONLY | O_CREAT | O_TRUNC),
          (errors, outputs[1], O_WRONLY | O_CREAT | O_TRUNC),
        ])
      meanwhile(pid)
      let (status, hasHung) = wait(for: pid, seconds: seconds)
      let signal = status & 0x7f
      return ProgramRun(
        status: signal == 0 ? (status >> 8) & 0xff : nil, signal: signal == 0 ? nil : signal,
        hasHung: hasHung,
        output: readScratchFile(outputs[0]), errors: readScratchFile(outputs[1]))
    }
  }

  private func start(
    _ command: [String], _ environment: [String: String],
    streams: [(stream: Stream, standard: String, flags: Int32)]
  ) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (number, (stream, standard, flags)) in streams.enumerated() {
      switch stream {
      case .standard: posix_spawn_file_actions_addopen(&actions, Int32(number), standard, flags, 0o600)
      case .closed: posix_spawn_file_actions_addclose(&actions, Int32(number))
      case .file(let path):
        posix_spawn_file_actions_addopen(&actions, Int32(number), path, flags & ~O_TRUNC, 0o600)
      }
    }
    // What other tests have open is not the program's: it would count where a test allows it few files.
    for file in Int32(3)..<256 { posix_spawn_file_actions_addclose(&actions, file) }
    let variables = Self.inherited.merging(environment) { $1 }.map { "\($0)=\($1)" }
    var arguments = command.map { strdup($0) } + [nil]
    var settings = variables.map { strdup($0) } + [nil]
    defer { for text in arguments + settings { free(text) } }
    var pid: pid_t = 0
    let failure = posix_spawn(&pid, command[0], &actions, nil, &arguments, &settings)
    precondition(failure == 0, "\(command[0]) starts: \(String(cString: strerror(failure)))")
    return pid
  }

  /// A crash has to be one: no backtrace that takes its time.
  private static let inherited = [
    "PATH": getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin", "SWIFT_BACKTRACE": "enable=no",
    "LD_LIBRARY_PATH": getenv("LD_LIBRARY_PATH").map { String(cString: $0) } ?? "",
  ]

  private func wait(for pid: pid_t, seconds: Double) -> (status: Int32, hasHung: Bool) {
    var status: Int32 = 0
    var hasHung = false
    let end = ContinuousClock.now + .seconds(seconds)
    while waitpid(pid, &status, WNOHANG) == 0 {
      if !hasHung && ContinuousClock.now > end {
        hasHung = true
        kill(pid, SIGKILL)
      }
      usleep(2000)
    }
    return (status, hasHung)
  }
}

/// What became of a program.
public struct ProgramRun: Sendable, CustomStringConvertible {
  /// `nil` where a signal ended it.
  public let status: Int32?
  public let signal: Int32?
  public let hasHung: Bool
  public let output: String
  public let errors: String

  /// The same run with its words on stderr, which went to a file.
  public func with(errors: String) -> ProgramRun {
    ProgramRun(status: status, signal: signal, hasHung: hasHung, output: output, errors: errors)
  }

  public var description: String {
    let end = status.map { "status \($0)" } ?? "signal \(signal ?? 0)\(hasHung ? " after it hung" : "")"
    return "\(end)\nstdout: \(output.prefix(1000))\nstderr: \(errors.suffix(1000))"
  }
}

/// A file as text; what is no UTF-8 is replaced. Empty where there is no such file.
public func readScratchFile(_ path: String) -> String {
  String(decoding: readScratchBytes(path) ?? [], as: UTF8.self)
}

/// A file's bytes; `nil` where there is no such file.
public func readScratchBytes(_ path: String) -> [UInt8]? {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  var info = stat()
  guard fstat(descriptor, &info) == 0 else { return nil }
  var bytes = [UInt8](repeating: 0, count: Int(info.st_size))
  var done = 0
  while done < bytes.count {
    let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + done, $0.count - done) }
    if count <= 0 { return nil }
    done += count
  }
  return bytes
}

/// The names in a folder, sorted.
public func scratchNames(_ path: String) -> [String] {
  guard let folder = opendir(path) else { return [] }
  defer { closedir(folder) }
  var names: [String] = []
  while let entry = readdir(folder) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names.sorted()
}
