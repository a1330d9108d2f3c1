import CLinux
import Glibc

/// A file that is written as `<name>.partial` and renamed to its final name when it is complete.
///
/// Whatever happens in between (an error, a signal, `kill -9`, a full disk), the final name holds the former file or
/// the complete new one. The partial file is locked, so a second writer of the same name is refused. When the value
/// is destroyed without `publish` or `discard`, the partial file stays, and a later run can resume it.
public struct StagedFile: ~Copyable {
  /// The path of the file when it is complete.
  public let finalPath: String
  /// The path until then: `<finalPath>.partial`.
  public let partialPath: String
  private let descriptor: Int32
  /// The lock where the file system does not support `flock`.
  private let lockFile: LockFile?
  private var buffer: [UInt8] = []
  /// How many bytes were written to the file, without those in `buffer`.
  private var writtenByteCount: Int
  private static let bufferByteCount = 1 << 18
  private static let directByteCount = 1 << 14
  private static let writeBackByteCount = 1 << 23

  /// Opens `<finalPath>.partial`, or creates it.
  ///
  /// - Parameter keepingContents: append to what the partial file holds; otherwise it is emptied.
  /// - Throws: `.inUse` or `.held` if another process writes it; `.notRegular` if the final name is not a file's;
  ///   `.noFolder`; `.system`.
  public init(_ finalPath: String, keepingContents: Bool = false) throws(FileError) {
    let partialPath = finalPath + ".partial"
    let opened = try Self.openLocked(partialPath, for: finalPath, emptied: !keepingContents)
    self.finalPath = finalPath
    self.partialPath = partialPath
    descriptor = opened.descriptor
    writtenByteCount = opened.byteCount
    lockFile = opened.lockFile
    buffer.reserveCapacity(Self.bufferByteCount)
  }

  private static func openLocked(_ partialPath: String, for finalPath: String, emptied: Bool)
    throws(FileError) -> (descriptor: Int32, byteCount: Int, lockFile: LockFile?)
  {
    var final = stat()
    if unsafe stat(finalPath, &final) == 0, let kind = describeSpecial(final.st_mode) {
      throw FileError(.notRegular(kind), path: finalPath)
    }
    while true {
      let descriptor = unsafe open(partialPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
      guard descriptor >= 0 else {
        if errno == ENOENT { throw FileError(.noFolder(folderName(finalPath)), path: finalPath) }
        throw FileError.last("write", partialPath)
      }
      let lockFile: LockFile?
      do throws(FileError) {
        lockFile = try lockForWriting(descriptor, partialPath, of: finalPath)
      } catch {
        close(descriptor)
        throw error
      }
      // The former owner may have given the file its final name between `open` and the lock.
      var opened = stat()
      var named = stat()
      guard unsafe fstat(descriptor, &opened) == 0,
        unsafe stat(partialPath, &named) == 0 || errno == ENOENT
      else {
        let error = FileError.last("stat", partialPath)
        unlockAndClose(descriptor)
        throw error
      }
      if opened.st_ino != named.st_ino || opened.st_dev != named.st_dev {
        unlockAndClose(descriptor)
        continue
      }
      if emptied && ftruncate(descriptor, 0) != 0 {
        let error = FileError.last("write", partialPath)
        unlockAndClose(descriptor)
        throw error
      }
      return (descriptor, emptied ? 0 : Int(opened.st_size), lockFile)
    }
  }

  deinit { unlockAndClose(descriptor) }

  /// Length of the file so far, buffered bytes included.
  public var byteCount: Int { writtenByteCount + buffer.count }

  /// Appends bytes; short ones are buffered and written together.
  ///
  /// - Throws: `.system` where a write fails.
  public mutating func append(_ bytes: Span<UInt8>) throws(FileError) {
    if buffer.count + bytes.count > Self.bufferByteCount { try flush() }
    // For long pieces the copy would cost more than the system call that it saves.
    if bytes.count >= Self.directByteCount {
      try flush()
      try write(bytes, at: writtenByteCount)
      writtenByteCount += bytes.count
    } else {
      unsafe bytes.withUnsafeBufferPointer { unsafe buffer.append(contentsOf: $0) }
    }
  }

  /// Appends text as UTF-8.
  ///
  /// - Throws: `.system` where a write fails.
  public mutating func append(_ text: String) throws(FileError) {
    try append(Array(text.utf8).span)
  }

  /// Replaces bytes that were appended before, for example a header whose counts are known only at the end.
  ///
  /// - Precondition: the bytes lie within the file.
  /// - Throws: `.system` where a write fails.
  public mutating func overwrite(_ bytes: Span<UInt8>, at offset: Int) throws(FileError) {
    try flush()
    precondition(offset >= 0 && offset + bytes.count <= writtenByteCount, "overwrite stays inside the file")
    try write(bytes, at: offset)
  }

  /// Removes all bytes from `offset` on.
  ///
  /// - Throws: `.system` where the file cannot be truncated.
  public mutating func truncate(to offset: Int) throws(FileError) {
    try flush()
    guard ftruncate(descriptor, off_t(offset)) == 0 else { throw FileError.last("write", partialPath) }
    writtenByteCount = offset
  }

  /// Writes the buffered bytes to the file.
  ///
  /// - Throws: `.system` where the write fails.
  public mutating func flush() throws(FileError) {
    guard !buffer.isEmpty else { return }
    try write(buffer.span, at: writtenByteCount)
    writtenByteCount += buffer.count
    buffer.removeAll(keepingCapacity: true)
  }

  /// Flushes, and waits until all bytes are on the disk.
  ///
  /// - Throws: `.system` where a write fails, also one that the kernel delayed until now.
  public mutating func sync() throws(FileError) {
    try flush()
    guard fsync(descriptor) == 0 else { throw FileError.last("write", partialPath) }
  }

  /// Reads back up to `buffer.byteCount` flushed bytes from `offset` on.
  ///
  /// - Returns: how many bytes were read; 0 at the end of the file.
  /// - Throws: `.system` where the read fails.
  public func read(at offset: Int, into buffer: inout MutableRawSpan) throws(FileError) -> Int {
    let wanted = buffer.byteCount
    let got = unsafe buffer.withUnsafeMutableBytes {
      unsafe pread(descriptor, $0.baseAddress, wanted, off_t(offset))
    }
    guard got >= 0 else { throw FileError.last("read", partialPath) }
    return got
  }

  /// Syncs the file, renames it to its final name, and syncs the folder.
  ///
  /// - Parameter durably: `false` does not wait for the disk; for thousands of small files that can be written again.
  /// - Throws: `.system`; the partial file stays then.
  public consuming func publish(durably: Bool = true) throws(FileError) {
    if durably { try sync() } else { try flush() }
    guard unsafe rename(partialPath, finalPath) == 0 else { throw FileError.last("rename", finalPath) }
    if durably { try syncFolder(of: finalPath) }
  }

  /// Removes the partial file.
  public consuming func discard() {
    unsafe unlink(partialPath)
  }

  private func write(_ bytes: Span<UInt8>, at offset: Int) throws(FileError) {
    if let code = writeAll(bytes, to: descriptor, at: offset) {
      throw FileError(.system(call: "write", code: code), path: partialPath)
    }
    // Start writing each complete stretch to the disk while the next one is being made, so that `sync` has little
    // left to wait for. This is only a hint; failures show in `sync`.
    let (stretch, end) = (Self.writeBackByteCount, offset + bytes.count)
    if offset / stretch < end / stretch {
      begin_write_back(descriptor, Int64(offset / stretch * stretch), Int64(stretch))
    }
  }
}

/// Writes a small file completely or not at all, as `StagedFile` does.
///
/// - Parameter durably: as in `StagedFile.publish`.
/// - Throws: what `StagedFile` throws.
public func writeFile(_ path: String, _ text: String, durably: Bool = true) throws(FileError) {
  var file = try StagedFile(path)
  do {
    try file.append(text)
  } catch {
    file.discard()
    throw error
  }
  try file.publish(durably: durably)
}

/// Waits until the entries of the folder that holds `path` are on the disk: otherwise a power failure may undo a
/// rename.
func syncFolder(of path: String) throws(FileError) {
  let folder = folderName(path)
  let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { throw FileError.last("open", folder) }
  defer { close(descriptor) }
  // EINVAL means that the file system cannot sync folders; nothing more can be done there.
  guard fsync(descriptor) == 0 || errno == EINVAL else { throw FileError.last("sync", folder) }
}

/// Many small files that get their final names together, after a single wait for the disk.
///
/// Each file is written as `<name>.partial`. `publish` syncs the file system once (`syncfs`) and then renames the
/// files. Waiting for each file would often take longer than computing it; renaming without any wait could leave an
/// empty file after a power failure. Whatever happens, a final name holds the former file or the complete new one.
///
/// The folder is locked: a second group for the same folder is refused, in this process and in others.
public struct StagedGroup: ~Copyable {
  private let folder: String
  private let descriptor: Int32
  /// The lock where the file system does not support `flock`.
  private let lockFile: LockFile?
  private var finalPaths: [ByteName] = []

  /// Locks the folder.
  ///
  /// - Parameter folder: the files lie in it or in its subfolders. It must exist.
  /// - Throws: `.inUse` or `.held` if another group has the lock; `.system`.
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

  /// How many files wait for their final names.
  public var count: Int { finalPaths.count }

  /// Whether a file waits for this final name.
  ///
  /// - Complexity: O(`count`).
  public func contains(_ finalPath: String) -> Bool { finalPaths.contains(ByteName(finalPath)) }

  /// Writes one file under its partial name; its folder must exist.
  ///
  /// - Precondition: `contains(finalPath)` is false.
  /// - Throws: `.system` where it cannot be written; the partial file is removed then.
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

  /// Waits until all files are on the disk, then renames them to their final names.
  ///
  /// - Parameter last: also wait until the new names are on the disk.
  /// - Throws: `.system`; files that were not renamed still wait for their names.
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

  /// Removes the files that have no final name yet.
  public mutating func discard() {
    for path in finalPaths { unsafe unlink(path.text + ".partial") }
    finalPaths = []
  }

  private func sync() throws(FileError) {
    guard syncfs(descriptor) == 0 else { throw FileError.last("write", folder) }
  }
}

/// The most bytes of one `write` call. For larger calls, ext4 in Linux 6.16 and later allocates large folios, which
/// are hard to find: writing 1 GB in pieces of 1 MB took three to five times as long.
private let largestWrite = 1 << 18

/// Writes all bytes, with as many system calls as it takes.
///
/// - Parameter offset: where in the file the first byte goes; nil for the descriptor's current position.
/// - Returns: nil, or the `errno` of the call that failed; EIO where a call wrote nothing and reported no error,
///   which must not be retried for ever.
package func writeAll(_ bytes: Span<UInt8>, to descriptor: Int32, at offset: Int? = nil) -> Int32? {
  var done = 0
  while done < bytes.count {
    let got = unsafe bytes.withUnsafeBytes { bytes in
      let start = unsafe bytes.baseAddress.map { unsafe $0 + done }
      let left = min(bytes.count - done, largestWrite)
      return if let offset {
        unsafe pwrite(descriptor, start, left, off_t(offset + done))
      } else {
        unsafe write(descriptor, start, left)
      }
    }
    if got < 0 && errno == EINTR { continue }
    guard got > 0 else { return got < 0 ? errno : EIO }
    done += got
  }
  return nil
}
