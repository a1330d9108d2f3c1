import Glibc

/// Runs `body` with the path of a new, empty folder, which is removed afterwards with all that is in it.
public func withScratchFolder<Result>(_ body: (String) throws -> Result) rethrows -> Result {
  let folder = makeScratchFolder()
  defer { removeFolder(folder) }
  return try body(folder)
}

/// As above, for a body that waits.
public func withScratchFolder<Result>(
  isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Result
) async rethrows -> Result {
  let folder = makeScratchFolder()
  defer { removeFolder(folder) }
  return try await body(folder)
}

private func makeScratchFolder() -> String {
  let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
  var template = Array("\(base)/imrec-test-XXXXXX".utf8CString)
  precondition(mkdtemp(&template) != nil, "a scratch folder can be made in \(base)")
  return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Names of any bytes, folders without permissions and deep ones are removed too; links are not followed.
private func removeFolder(_ path: String) {
  removeFolder(in: AT_FDCWD, Array(path.utf8CString))
}

private func removeFolder(in parent: Int32, _ name: [CChar]) {
  fchmodat(parent, name, 0o700, 0)
  let descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
  guard descriptor >= 0, let folder = fdopendir(descriptor) else { return }
  while let entry = readdir(folder) {
    let child = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
    }
    if child == [46, 0] || child == [46, 46, 0] { continue }
    if unlinkat(descriptor, child, 0) != 0 { removeFolder(in: descriptor, child) }
  }
  closedir(folder)
  unlinkat(parent, name, AT_REMOVEDIR)
}

/// Writes a small file for a test, the folders above it too.
public func writeScratchFile(_ path: String, _ bytes: some Sequence<UInt8>) {
  makeScratchFolders(above: path)
  let bytes = Array(bytes)
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
  precondition(descriptor >= 0, "\(path) can be written")
  defer { close(descriptor) }
  var done = 0
  while done < bytes.count {
    let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + done, bytes.count - done) }
    precondition(count > 0, "\(path) can be written")
    done += count
  }
}

/// Makes the folders that lead to `path`, not `path` itself.
public func makeScratchFolders(above path: String) {
  guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash != path.startIndex else { return }
  let parent = String(path[..<slash])
  if mkdir(parent, 0o755) == 0 || errno == EEXIST { return }
  makeScratchFolders(above: parent)
  mkdir(parent, 0o755)
}
