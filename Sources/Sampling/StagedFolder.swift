import Files
import Glibc

/// A folder that is filled beside its final name, as `<name>.partial`, and gets that name only when whole.
///
/// What a broken-off run left under the partial name is emptied by the next. The partial folder is locked: a
/// second writer of the same name is refused.
struct StagedFolder: ~Copyable {
  let finalPath: String
  private let partialPath: String
  private let descriptor: Int32
  /// Where the file system has no `flock`.
  private let lockFile: LockFile?
  /// What is yet to be synced, files and the folders they are in.
  private var written: [String] = []

  /// - Throws: `SampleError` where the final name is taken by anything but an empty folder; `FileError`.
  init(_ finalPath: String) throws {
    // `DIR/` names the same folder as `DIR`; its partial name must not lie inside it.
    var finalPath = finalPath
    while finalPath.utf8.count > 1, finalPath.utf8.last == UInt8(ascii: "/") { finalPath.removeLast() }
    var info = stat()
    if unsafe stat(finalPath, &info) == 0 {
      guard info.st_mode & S_IFMT == S_IFDIR else { throw SampleError(.notAFolder, path: finalPath) }
      guard try names(in: finalPath).isEmpty else { throw SampleError(.notEmpty, path: finalPath) }
    }
    let partialPath = finalPath + ".partial"
    try makeFolder(partialPath)
    (descriptor, lockFile) = try openLocked(partialPath, for: finalPath)
    self.finalPath = finalPath
    self.partialPath = partialPath
  }

  deinit { close(descriptor) }

  /// Makes a folder in it.
  mutating func makeSubfolder(_ name: String) throws {
    let path = join(partialPath, name)
    try makeFolder(path)
    written.append(path)
  }

  /// Writes one whole file; it reaches the disk with `publish`.
  mutating func write(_ bytes: [UInt8], to name: String) throws {
    let path = join(partialPath, name)
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard file >= 0 else { throw failure("write", path) }
    defer { close(file) }
    var done = 0
    while done < bytes.count {
      let got = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.write(file, $0.baseAddress.map { unsafe $0 + done }, $0.count - done)
      }
      if got < 0 {
        if errno == EINTR { continue }
        throw failure("write", path)
      }
      done += got
    }
    written.append(path)
  }

  /// Waits until the disk has all files, and gives the folder its final name.
  consuming func publish() throws {
    // All at the end: the first makes the system write the others too, and their turn costs little.
    for path in written {
      let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
      guard file >= 0 else { throw failure("open", path) }
      defer { close(file) }
      guard fsync(file) == 0 else { throw failure("write", path) }
    }
    guard unsafe rename(partialPath, finalPath) == 0 else { throw failure("rename", finalPath) }
    let parent = unsafe open(folderName(finalPath), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard parent >= 0 else { return }
    fsync(parent)
    close(parent)
  }

  /// Removes what was written.
  consuming func discard() {
    // Nothing more can be done about what does not go; the next run empties it again.
    try? empty(partialPath)
    unsafe rmdir(partialPath)
  }
}

private func openLocked(_ partialPath: String, for finalPath: String) throws -> (Int32, LockFile?) {
  let descriptor = unsafe open(partialPath, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
  guard descriptor >= 0 else { throw failure("open", partialPath) }
  do {
    let lockFile = try lockForWriting(descriptor, partialPath, of: finalPath)
    try empty(partialPath)
    return (descriptor, lockFile)
  } catch {
    close(descriptor)
    throw error
  }
}

private func failure(_ call: String, _ path: String) -> FileError {
  FileError(.system(call: call, code: errno), path: path)
}

/// Removes everything in the folder, following no links.
private func empty(_ folder: String) throws {
  for name in try names(in: folder) {
    let path = join(folder, name)
    if unsafe unlink(path) == 0 { continue }
    guard errno == EISDIR || errno == EPERM else { throw failure("remove", path) }
    try empty(path)
    guard unsafe rmdir(path) == 0 else { throw failure("remove", path) }
  }
}

private func names(in folder: String) throws -> [String] {
  guard let listing = unsafe opendir(folder) else { throw failure("open", folder) }
  defer { unsafe closedir(listing) }
  var names: [String] = []
  while let entry = unsafe readdir(listing) {
    let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
      unsafe field.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names
}
