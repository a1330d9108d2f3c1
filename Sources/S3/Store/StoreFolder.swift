import CLinux
import Glibc

/// An open folder. Names in it are looked up one at a time and links are never followed, so no name can lead
/// outside the store.
struct StoreFolder: ~Copyable {
  let descriptor: Int32
  /// For messages, and as the key of `FolderCache`.
  let path: String

  struct Entry: Sendable {
    /// The name, with a trailing slash if it is a folder, so that entries sort in the order of the keys below
    /// them.
    let name: [UInt8]
    let isFolder: Bool
  }

  /// - Throws: `ObjectError` if the path is not a folder that can be opened.
  init(path: String) throws(ObjectError) {
    descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    self.path = path
    guard descriptor >= 0 else { throw ObjectError.last("open", path) }
  }

  private init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  func child(_ name: [UInt8]) -> String { "\(path)/\(String(decoding: name, as: UTF8.self))" }

  /// Opens a subfolder; nil if nothing, a file or a link has this name.
  func folder(_ name: [UInt8]) throws(ObjectError) -> StoreFolder? {
    let found = unsafe openat(descriptor, cName(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard found >= 0 else {
      if [ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG].contains(errno) { return nil }
      throw ObjectError.last("open", child(name))
    }
    return StoreFolder(descriptor: found, path: child(name))
  }

  /// Creates a subfolder unless the name is already taken.
  func makeFolder(_ name: [UInt8]) throws(ObjectError) {
    guard unsafe mkdirat(descriptor, cName(name), 0o777) == 0 || errno == EEXIST else {
      throw ObjectError.last("make", child(name))
    }
  }

  /// Opens a regular file for reading; nil if there is none of this name. The caller closes the descriptor.
  package func file(_ name: [UInt8]) throws(ObjectError) -> (descriptor: Int32, status: stat)? {
    let found = unsafe openat(
      descriptor, cName(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
    guard found >= 0 else {
      if [ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, ENXIO].contains(errno) { return nil }
      throw ObjectError.last("open", child(name))
    }
    var status = stat()
    guard unsafe fstat(found, &status) == 0 else {
      let error = ObjectError.last("stat", child(name))
      close(found)
      throw error
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(found)
      return nil
    }
    return (found, status)
  }

  /// The status of a name, without following links; nil if nothing has this name.
  func status(_ name: [UInt8]) -> stat? {
    var status = stat()
    return unsafe fstatat(descriptor, cName(name), &status, AT_SYMLINK_NOFOLLOW) == 0 ? status : nil
  }

  func ownStatus() -> stat? {
    var status = stat()
    return unsafe fstat(descriptor, &status) == 0 ? status : nil
  }

  /// - Returns: `false` if there was no file of this name.
  func unlink(_ name: [UInt8]) throws(ObjectError) -> Bool {
    if unsafe unlinkat(descriptor, cName(name), 0) == 0 { return true }
    if [ENOENT, ENOTDIR, EISDIR].contains(errno) { return false }
    throw ObjectError.last("delete", child(name))
  }

  /// - Returns: whether an empty folder of this name was removed.
  @discardableResult
  func removeEmptyFolder(_ name: [UInt8]) -> Bool {
    unsafe unlinkat(descriptor, cName(name), AT_REMOVEDIR) == 0
  }

  func sync() throws(ObjectError) {
    // Some file systems cannot sync a folder and fail with EINVAL; nothing more can be done there.
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw ObjectError.last("sync", path) }
  }

  /// The regular files and folders, sorted by the bytes of the keys below them; all other entries are
  /// skipped.
  func entries() throws(ObjectError) -> [Entry] {
    // Reading moves a descriptor's position, so use a separate one.
    let own = unsafe openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard own >= 0 else { throw ObjectError.last("open", path) }
    guard let folder = unsafe fdopendir(own) else {
      let error = ObjectError.last("open", path)
      close(own)
      throw error
    }
    defer { unsafe closedir(folder) }
    var entries: [Entry] = []
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe Array($0.prefix { $0 != 0 }) }
      if name == [0x2E] || name == [0x2E, 0x2E] { continue }
      var kind = unsafe Int32(entry.pointee.d_type)
      if kind == Int32(DT_UNKNOWN), let status = status(name) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = Int32(DT_REG)
        case S_IFDIR: kind = Int32(DT_DIR)
        default: break
        }
      }
      if kind == Int32(DT_REG) {
        entries.append(Entry(name: name, isFolder: false))
      } else if kind == Int32(DT_DIR) {
        entries.append(Entry(name: name + [UInt8(ascii: "/")], isFolder: true))
      }
    }
    return entries.sorted { precedes($0.name, $1.name) }
  }
}

/// S3's order of keys: bytewise.
func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
  let count = min(left.count, right.count)
  let order = unsafe left.withUnsafeBytes { left in
    unsafe right.withUnsafeBytes { right in
      guard let first = left.baseAddress, let second = right.baseAddress else { return Int32(0) }
      return unsafe memcmp(first, second, count)
    }
  }
  return order == 0 ? left.count < right.count : order < 0
}

/// A name as a null-terminated C string.
func cName(_ name: [UInt8]) -> [CChar] { name.map { CChar(bitPattern: $0) } + [0] }

/// Appends bytes of one file to another, in the kernel if the file system supports it.
///
/// - Returns: nil on success, otherwise the `errno`; EIO if the source is too short.
func copyBytes(from source: Int32, at offset: Int, count: Int, to target: Int32) -> Int32? {
  var (position, left) = (Int64(offset), count)
  while left > 0 {
    let copied = unsafe copy_file_range(source, &position, target, nil, min(left, 1 << 30), 0)
    if copied > 0 {
      left -= copied
    } else if copied < 0 && errno == EINTR {
      continue
    } else if copied < 0 && [EXDEV, ENOSYS, EINVAL, EOPNOTSUPP, EBADF].contains(errno) {
      return copyBytesThroughMemory(from: source, at: Int(position), count: left, to: target)
    } else {
      return copied < 0 ? errno : EIO
    }
  }
  return nil
}

private func copyBytesThroughMemory(from source: Int32, at offset: Int, count: Int, to target: Int32)
  -> Int32?
{
  var buffer = [UInt8](repeating: 0, count: min(count, 1 << 20))
  var done = 0
  while done < count {
    let wanted = min(buffer.count, count - done)
    let got = unsafe buffer.withUnsafeMutableBytes {
      unsafe pread(source, $0.baseAddress, wanted, off_t(offset + done))
    }
    if got < 0 && errno == EINTR { continue }
    guard got > 0 else { return got < 0 ? errno : EIO }
    var written = 0
    while written < got {
      let part = unsafe buffer.withUnsafeBytes {
        unsafe write(target, $0.baseAddress.map { unsafe $0 + written }, got - written)
      }
      if part < 0 && errno == EINTR { continue }
      guard part > 0 else { return part < 0 ? errno : EIO }
      written += part
    }
    done += got
  }
  return nil
}
