import CLinux
import Glibc

/// Many small files that get their names together, after one wait for the disk.
///
/// Each is written beside its final name, as `<name>.partial`. `publish` has the file system write down all of them at
/// once (`syncfs`), then renames them: a wait for each file would take longer than most work whose result it holds, and
/// a rename without any could, after a loss of power, leave a name with no bytes. Whatever happens, a final name holds
/// the former file or the whole new one.
///
/// The folder is locked: a second group for it, also of another process, is refused.
public struct StagedGroup: ~Copyable {
  private let folder: String
  private let descriptor: Int32
  /// Where the file system has no `flock`.
  private let lockFile: LockFile?
  private var finalPaths: [ByteName] = []

  /// - Parameter folder: it, or folders in it, take the files. It must be there.
  /// - Throws: `.inUse`.
  public init(_ folder: String) throws(FileError) {
    descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    self.folder = folder
    guard descriptor >= 0 else { throw FileError.last("open", folder) }
    do throws(FileError) {
      lockFile = try lockForWriting(descriptor, join(folder, ".imrec"), of: folder)
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit { if descriptor >= 0 { unlockAndClose(descriptor) } }

  /// Files that have no final name yet.
  public var count: Int { finalPaths.count }

  public func contains(_ finalPath: String) -> Bool { finalPaths.contains(ByteName(finalPath)) }

  /// Writes one file; its folder must be there.
  ///
  /// - Precondition: no file of this path waits for its name.
  public mutating func add(_ finalPath: String, _ bytes: Span<UInt8>) throws(FileError) {
    let path = finalPath + ".partial"
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard file >= 0 else { throw FileError.last("write", path) }
    defer { close(file) }
    if let code = writeAll(bytes, to: file) {
      unsafe unlink(path)
      throw FileError(.system(call: "write", code: code), path: path)
    }
    finalPaths.append(ByteName(finalPath))
  }

  /// Waits until the disk has all files, then gives them their names.
  ///
  /// - Parameter last: also waits until the disk has the names.
  public mutating func publish(last: Bool = false) throws(FileError) {
    if !finalPaths.isEmpty {
      try sync()
      while let path = finalPaths.last?.text {
        guard unsafe rename(path + ".partial", path) == 0 else { throw FileError.last("rename", path) }
        finalPaths.removeLast()
      }
    }
    if last { try sync() }
  }

  /// Removes what has no final name yet.
  public mutating func discard() {
    for path in finalPaths { unsafe unlink(path.text + ".partial") }
    finalPaths = []
  }

  private func sync() throws(FileError) {
    guard syncfs(descriptor) == 0 else { throw FileError.last("write", folder) }
  }
}
