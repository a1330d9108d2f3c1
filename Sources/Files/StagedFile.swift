import CLinux
import Glibc

/// A file that is written beside its final name, as `<name>.partial`, and gets that name only when whole.
///
/// Whatever happens in between (an error, a signal, `kill -9`, a full disk), the final name holds the former
/// file or the new one, never a part. The partial file is locked: a second writer of the same name is refused.
/// It stays behind when the value is dropped without `publish` or `discard`, so that a later run can resume.
public struct StagedFile: ~Copyable {
  public let finalPath: String
  public let partialPath: String
  private let descriptor: Int32
  /// Where the file system has no `flock`.
  private let lockFile: LockFile?
  private var buffer: [UInt8] = []
  /// Bytes already handed to the system.
  private var writtenByteCount: Int
  private static let bufferByteCount = 1 << 18
  private static let directByteCount = 1 << 14
  private static let writeBackByteCount = 1 << 23

  /// Opens `<finalPath>.partial`, making it where there is none.
  /// - Parameter keepingContents: go on after what the partial file holds; otherwise it is emptied.
  /// - Throws: `.inUse` if another process writes it.
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
      // The former owner may have given the file its final name between our open and our lock.
      var opened = stat()
      var named = stat()
      guard unsafe fstat(descriptor, &opened) == 0,
        unsafe stat(partialPath, &named) == 0 || errno == ENOENT
      else {
        let error = FileError.last("stat", partialPath)
        close(descriptor)
        throw error
      }
      if opened.st_ino != named.st_ino || opened.st_dev != named.st_dev {
        close(descriptor)
        continue
      }
      if emptied && ftruncate(descriptor, 0) != 0 {
        let error = FileError.last("write", partialPath)
        close(descriptor)
        throw error
      }
      return (descriptor, emptied ? 0 : Int(opened.st_size), lockFile)
    }
  }

  deinit { unlockAndClose(descriptor) }

  /// Length of the file so far, what is still buffered included.
  public var byteCount: Int { writtenByteCount + buffer.count }

  public mutating func append(_ bytes: Span<UInt8>) throws(FileError) {
    if buffer.count + bytes.count > Self.bufferByteCount { try flush() }
    // What is long enough is not worth a copy to save a system call.
    if bytes.count >= Self.directByteCount {
      try flush()
      try write(bytes, at: writtenByteCount)
      writtenByteCount += bytes.count
    } else {
      unsafe bytes.withUnsafeBufferPointer { unsafe buffer.append(contentsOf: $0) }
    }
  }

  public mutating func append(_ text: String) throws(FileError) {
    try append(Array(text.utf8).span)
  }

  /// Writes over bytes that were appended before, for example a header whose counts are known only at the end.
  public mutating func overwrite(_ bytes: Span<UInt8>, at offset: Int) throws(FileError) {
    try flush()
    precondition(offset >= 0 && offset + bytes.count <= writtenByteCount, "overwrite stays inside the file")
    try write(bytes, at: offset)
  }

  /// Drops everything from `offset` on.
  public mutating func truncate(to offset: Int) throws(FileError) {
    try flush()
    guard ftruncate(descriptor, off_t(offset)) == 0 else { throw FileError.last("write", partialPath) }
    writtenByteCount = offset
  }

  /// Hands what is buffered to the system.
  public mutating func flush() throws(FileError) {
    guard !buffer.isEmpty else { return }
    try write(buffer.span, at: writtenByteCount)
    writtenByteCount += buffer.count
    buffer.removeAll(keepingCapacity: true)
  }

  /// Flushes, and waits until the disk has it.
  public mutating func sync() throws(FileError) {
    try flush()
    guard fsync(descriptor) == 0 else { throw FileError.last("write", partialPath) }
  }

  /// Reads back up to `buffer.byteCount` bytes of what was flushed.
  public func read(at offset: Int, into buffer: inout MutableRawSpan) throws(FileError) -> Int {
    let wanted = buffer.byteCount
    let got = unsafe buffer.withUnsafeMutableBytes {
      unsafe pread(descriptor, $0.baseAddress, wanted, off_t(offset))
    }
    guard got >= 0 else { throw FileError.last("read", partialPath) }
    return got
  }

  /// Syncs, gives the file its final name, and syncs the folder.
  /// - Parameter durably: `false` leaves out the waiting for the disk, where thousands of small files are written
  ///   and can be written again.
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
    // The disk starts on each stretch as soon as it is whole, beside the work on the next: then little is left to
    // wait for at the end. Only a hint; what fails shows in `sync`.
    let (stretch, end) = (Self.writeBackByteCount, offset + bytes.count)
    if offset / stretch < end / stretch {
      begin_write_back(descriptor, Int64(offset / stretch * stretch), Int64(stretch))
    }
  }
}

/// Writes a small file whole or not at all, as `StagedFile` does.
public func writeFile(_ path: String, _ text: String) throws(FileError) {
  var file = try StagedFile(path)
  do {
    try file.append(text)
  } catch {
    file.discard()
    throw error
  }
  try file.publish()
}

/// Waits until the disk has the folder's entries: without it a rename may be lost with the power.
func syncFolder(of path: String) throws(FileError) {
  let folder = folderName(path)
  let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { throw FileError.last("open", folder) }
  defer { close(descriptor) }
  // Some file systems cannot sync a folder and say so with EINVAL; there is nothing more to do there.
  guard fsync(descriptor) == 0 || errno == EINVAL else { throw FileError.last("sync", folder) }
}

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

/// Of one call. Where more comes at once ext4 of Linux 6.16 and later takes larger pages for it, which are hard to find: writing
/// 1 GB by the megabyte takes three to five times as long.
private let largestWrite = 1 << 18

/// Hands all bytes to the system, in as many calls as it takes.
///
/// - Parameter offset: where in the file the first one goes; nil: where the file stands.
/// - Returns: nil, or the code of the error that ended it; EIO where a call made no progress and gave no error, which
///   must not go on for ever.
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
