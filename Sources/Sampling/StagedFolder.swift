import Files
import Glibc

/// A folder that is filled as `<name>.partial` and renamed to its final name when it is complete.
///
/// Whatever an interrupted run left under the partial name is removed first. The partial folder is locked, so a second
/// writer of the same name is refused.
struct StagedFolder: ~Copyable {
  let finalPath: String
  private let partialPath: String
  private let descriptor: Int32
  /// The lock where the file system does not support `flock`.
  private let lockFile: LockFile?
  /// The paths of files and subfolders that are not synced yet.
  private var written: [String] = []

  /// - Throws: `SampleError` where the final name belongs to anything but an empty folder; `FileError`.
  init(_ finalPath: String) throws {
    // `DIR/` names the same folder as `DIR`, and the partial name must not lie inside it.
    var finalPath = finalPath
    while finalPath.utf8.count > 1, finalPath.utf8.last == UInt8(ascii: "/") { finalPath.removeLast() }
    var info = stat()
    if unsafe stat(finalPath, &info) == 0 {
      guard info.st_mode & S_IFMT == S_IFDIR else { throw SampleError(.notAFolder, path: finalPath) }
      guard try isEmptyFolder(finalPath) else { throw SampleError(.notEmpty, path: finalPath) }
    }
    let partialPath = finalPath + ".partial"
    try makeFolder(partialPath)
    (descriptor, lockFile) = try openLocked(partialPath, for: finalPath)
    self.finalPath = finalPath
    self.partialPath = partialPath
  }

  deinit { unlockAndClose(descriptor) }

  /// Creates a subfolder.
  mutating func makeSubfolder(_ name: String) throws {
    let path = join(partialPath, name)
    try makeFolder(path)
    written.append(path)
  }

  /// Writes a file. It is synced to the disk by `publish`.
  mutating func write(_ bytes: [UInt8], to name: String) throws {
    let path = join(partialPath, name)
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard file >= 0 else { throw failure("write", path) }
    defer { close(file) }
    if let code = writeAll(bytes.span, to: file) {
      throw FileError(.system(call: "write", code: code), path: path)
    }
    written.append(path)
  }

  /// Waits until all files are on the disk, and renames the folder to its final name.
  consuming func publish() throws {
    // Syncing at the end is cheap: the first sync makes the system write most of the other files too.
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
    // What cannot be removed now is removed by the next run.
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
    unlockAndClose(descriptor)
    throw error
  }
}

private func failure(_ call: String, _ path: String) -> FileError {
  FileError(.system(call: call, code: errno), path: path)
}

/// Removes everything in the folder, without following symbolic links.
private func empty(_ folder: String) throws {
  for name in try entryNames(ofFolder: folder) {
    let path = join(folder, name)
    if unsafe unlink(path) == 0 { continue }
    guard errno == EISDIR || errno == EPERM else { throw failure("remove", path) }
    try empty(path)
    guard unsafe rmdir(path) == 0 else { throw failure("remove", path) }
  }
}
