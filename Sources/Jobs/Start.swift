import CProcesses
import Glibc

/// Bytes of a log that have their place on the disk from the beginning.
private let logReserve: Int64 = 16 << 10

/// Starts a command's program.
///
/// - Returns: its process. The caller has to reap it.
func start(_ command: Command) throws(JobError) -> Int32 {
  let variables = command.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
  for text in [command.program, command.folder, command.logPath] + command.arguments + variables
  where text.utf8.contains(0) {
    throw JobError(.zeroByte(in: text), path: command.program)
  }
  let output = unsafe open(command.logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0o666)
  guard output >= 0 else {
    throw JobError(.system(what: "the log cannot be opened", code: errno), path: command.logPath)
  }
  defer { close(output) }
  // What a job says when the disk is full is what tells why it failed.
  reserve_room(output, logReserve)
  let arguments = TextArray([command.program] + command.arguments)
  let environment = TextArray(variables)
  let started = unsafe command.program.withCString { program in
    unsafe command.folder.withCString { folder in
      unsafe arguments.texts.withUnsafeBufferPointer { arguments in
        unsafe environment.texts.withUnsafeBufferPointer { environment in
          guard let first = arguments.baseAddress, let variable = environment.baseAddress else {
            return process_started(pid: -1, failed_stage: stage_setup, error: EINVAL)
          }
          var start = unsafe process_start(
            program: program, arguments: first, environment: variable, folder: folder, output: output,
            data_limit: UInt64(max(0, command.memoryLimit ?? 0)))
          return unsafe start_process(&start)
        }
      }
    }
  }
  guard started.pid < 0 else { return started.pid }
  switch started.failed_stage {
  case stage_folder:
    throw JobError(
      .system(what: "its folder \(command.folder) cannot be entered", code: started.error),
      path: command.program)
  case stage_program:
    throw JobError(.system(what: "the program cannot be run", code: started.error), path: command.program)
  default: throw JobError(.system(what: "no process can be made", code: started.error), path: command.program)
  }
}

/// Texts as C takes them, ended by a null pointer.
@safe private final class TextArray {
  let texts: [UnsafeMutablePointer<CChar>?]

  init(_ texts: [String]) { unsafe self.texts = texts.map { unsafe strdup($0) } + [nil] }

  deinit { for index in unsafe texts.indices { unsafe free(texts[index]) } }
}

/// "Killed", "Terminated".
func signalName(_ number: Int32) -> String {
  guard let name = unsafe strsignal(number) else { return "unknown" }
  return unsafe String(cString: name)
}
