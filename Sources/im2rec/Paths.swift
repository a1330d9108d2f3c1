import Files
import Glibc

/// `path` from the root of the file system, without `.`, `..` and doubled slashes: Python's `os.path.abspath`,
/// which does not ask the file system about links.
func absolutePath(_ path: String, from workingFolder: String = workingFolder()) -> String {
  let whole = join(workingFolder, path)
  var parts: [String] = []
  for bytes in whole.utf8.split(separator: UInt8(ascii: "/")) {
    let part = String(Substring(bytes))
    if part == "." { continue }
    if part != ".." {
      parts.append(part)
    } else if !parts.isEmpty {
      parts.removeLast()
    }
  }
  // POSIX leaves the meaning of exactly two slashes to the system, so Python keeps them.
  let slashes = whole.hasBytePrefix("//") && !whole.hasBytePrefix("///") ? "//" : "/"
  return slashes + parts.joined(separator: "/")
}

func workingFolder() -> String {
  guard let path = unsafe getcwd(nil, 0) else { return "/" }
  defer { unsafe free(path) }
  return unsafe String(cString: path)
}

/// Whether `path` names a regular file, links followed.
func isRegularFile(_ path: String) -> Bool {
  var info = stat()
  return unsafe stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
}

/// The names in a folder, in the order of their bytes; those that are not UTF-8 are left out.
func namesInFolder(_ path: String) throws(FileError) -> [String] {
  guard let folder = unsafe opendir(path) else {
    throw FileError(.system(call: "open", code: errno), path: path)
  }
  defer { unsafe closedir(folder) }
  var names: [String] = []
  while let entry = unsafe readdir(folder) {
    let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
      unsafe field.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(validatingCString: $0) }
    }
    if let name, name != ".", name != ".." { names.append(name) }
  }
  return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}
