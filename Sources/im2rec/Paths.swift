import Files
import Glibc

/// The absolute path without `.`, `..` and double slashes. Like Python's `os.path.abspath`, it does not resolve links.
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
  // POSIX leaves the meaning of exactly two leading slashes to the implementation, so Python keeps them.
  let slashes = whole.hasBytePrefix("//") && !whole.hasBytePrefix("///") ? "//" : "/"
  return slashes + parts.joined(separator: "/")
}

/// The current working directory; "/" if it cannot be determined.
func workingFolder() -> String {
  guard let path = unsafe getcwd(nil, 0) else { return "/" }
  defer { unsafe free(path) }
  return unsafe String(cString: path)
}

/// Whether `path` names a regular file; symbolic links are followed.
func isRegularFile(_ path: String) -> Bool {
  var info = stat()
  return unsafe stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
}
