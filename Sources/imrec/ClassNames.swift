import Files
import Pipelines

/// The names of a class file: one a line, in label order.
func readClassNames(_ path: String) throws -> [String] {
  let bytes = try readFile(path, limit: 1 << 26).bytes
  guard let text = String(validating: bytes, as: UTF8.self) else {
    throw PipelineError(.contradiction("\(path): it is no UTF-8 text; one class name a line is expected"))
  }
  var names = text.split(separator: "\n", omittingEmptySubsequences: false).map {
    String($0.last == "\r" ? $0.dropLast() : $0)
  }
  if names.last == "" { names.removeLast() }
  for (index, name) in names.enumerated() {
    guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")) else {
      throw PipelineError(.contradiction("\(path): line \(index + 1): '\(name)' cannot name a folder"))
    }
  }
  return names
}
