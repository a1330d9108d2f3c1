import Glibc

/// The part of `path` before its last component: "." where there is none.
public func folderName(_ path: String) -> String {
  guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// The last component of `path`.
public func baseName(_ path: String) -> String {
  guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
  return String(path[path.utf8.index(after: slash)...])
}

/// `path` split before its last dot, as Python's `os.path.splitext`: leading dots belong to the name.
public func splitExtension(_ path: String) -> (stem: String, suffix: String) {
  let name = baseName(path)
  let body = name.utf8.drop { $0 == UInt8(ascii: ".") }
  guard let dot = body.lastIndex(of: UInt8(ascii: ".")) else { return (path, "") }
  let suffix = String(name[dot...])
  return (String(path.utf8.dropLast(suffix.utf8.count)) ?? path, suffix)
}

/// `path` below `folder`, as Python's `os.path.join`: an absolute path stands for itself.
public func join(_ folder: String, _ path: String) -> String {
  if path.utf8.first == UInt8(ascii: "/") || folder.isEmpty { return path }
  return folder.utf8.last == UInt8(ascii: "/") ? folder + path : folder + "/" + path
}

/// Whether both paths lead to one file: also by links and by other spellings, and where no file is there yet.
public func isSameFile(_ left: String, _ right: String) -> Bool {
  if left.utf8.elementsEqual(right.utf8) { return true }
  var (first, second) = (stat(), stat())
  switch unsafe (stat(left, &first) == 0, stat(right, &second) == 0) {
  case (true, true): return first.st_dev == second.st_dev && first.st_ino == second.st_ino
  case (false, false):
    guard baseName(left).utf8.elementsEqual(baseName(right).utf8) else { return false }
    let folders = (folderName(left), folderName(right))
    return unsafe stat(folders.0, &first) == 0 && stat(folders.1, &second) == 0
      && first.st_dev == second.st_dev && first.st_ino == second.st_ino
  default: return false
  }
}

/// `path` from the root of the file system, links followed, as the system knows it; nil where nothing is there.
public func realPath(_ path: String) -> String? {
  guard let real = unsafe realpath(path, nil) else { return nil }
  defer { unsafe free(real) }
  return unsafe String(validatingCString: real)
}

/// Whether `path` names a folder, links followed.
public func isFolder(_ path: String) -> Bool {
  var info = stat()
  return unsafe stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
}

/// Makes the folder and those above it; one that is there already is fine.
public func makeFolder(_ path: String) throws(FileError) {
  if isFolder(path) { return }
  let parent = folderName(path)
  if parent != path && parent != "." { try makeFolder(parent) }
  guard unsafe mkdir(path, 0o777) == 0 || (errno == EEXIST && isFolder(path)) else {
    throw FileError.last("make", path)
  }
}

/// Whether nothing is in the folder, hidden files counted.
public func isEmptyFolder(_ path: String) throws(FileError) -> Bool {
  guard let folder = unsafe opendir(path) else { throw FileError.last("open", path) }
  defer { unsafe closedir(folder) }
  var count = 0
  while unsafe readdir(folder) != nil { count += 1 }
  return count <= 2  // "." and ".."
}

/// A folder that inputs lie below, and which folder that was when a run began.
public struct InputRoot: Hashable, Sendable {
  public let path: String
  private let device: UInt64
  private let node: UInt64

  /// - Throws: where there is no folder at the path.
  public init(_ path: String) throws(FileError) {
    var info = stat()
    guard unsafe stat(path, &info) == 0 else { throw FileError.last("open", path) }
    guard info.st_mode & S_IFMT == S_IFDIR else {
      throw FileError(.system(call: "open", code: ENOTDIR), path: path)
    }
    self.path = path
    (device, node) = (UInt64(info.st_dev), UInt64(info.st_ino))
  }

  /// Throws where the folder was moved, removed or taken off the machine since: nothing below it can be found then.
  public func check() throws(FileError) {
    guard let now = try? InputRoot(path), now == self else { throw FileError(.wentAway, path: path) }
  }
}
