import Files
import Packing
import Records

/// Reads a file of class names: one per line, in label order.
///
/// - Throws: `FileError` if the file cannot be read; `PackingError` if it is empty or not UTF-8, or a name is
///   repeated or cannot be the name of a folder.
func readClassNames(_ path: String) throws -> [String] {
  let bytes = try readFile(path, limit: 1 << 26).bytes
  let names = try nameLines(bytes).map { line in
    guard let name = String(validating: line, as: UTF8.self) else {
      throw PackingError(.contradiction("\(path): not UTF-8 text; one class name per line is expected"))
    }
    return name
  }
  if names.isEmpty { throw PackingError(.contradiction("\(path): the file names no class")) }
  var lines: [ByteName: Int] = [:]
  for (index, name) in names.enumerated() {
    if let former = lines.updateValue(index + 1, forKey: ByteName(name)) {
      throw PackingError(
        .contradiction("\(path): line \(index + 1): '\(name)' repeats the name in line \(former)"))
    }
    guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")) else {
      throw PackingError(.contradiction("\(path): line \(index + 1): '\(name)' cannot name a folder"))
    }
  }
  return names
}
