import Files
import Packing
import Records

/// The names of a class file: one a line, in label order.
func readClassNames(_ path: String) throws -> [String] {
  let bytes = try readFile(path, limit: 1 << 26).bytes
  let names = try nameLines(bytes).map { line in
    guard let name = String(validating: line, as: UTF8.self) else {
      throw PackingError(.contradiction("\(path): it is no UTF-8 text; one class name a line is expected"))
    }
    return name
  }
  if names.isEmpty { throw PackingError(.contradiction("\(path): it names no class")) }
  var lines: [ByteName: Int] = [:]
  for (index, name) in names.enumerated() {
    if let former = lines.updateValue(index + 1, forKey: ByteName(name)) {
      throw PackingError(
        .contradiction("\(path): line \(index + 1): '\(name)' is the name of line \(former) already"))
    }
    guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")) else {
      throw PackingError(.contradiction("\(path): line \(index + 1): '\(name)' cannot name a folder"))
    }
  }
  return names
}
