import Glibc

/// The part of `path` before its last component; "." where the path has one component only.
public func folderName(_ path: String) -> String {
  guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// The last component of `path`.
public func baseName(_ path: String) -> String {
  guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
  return String(path[path.utf8.index(after: slash)...])
}

/// Splits `path` before the last dot of its name, as Python's `os.path.splitext` does: leading dots belong to the stem.
public func splitExtension(_ path: String) -> (stem: String, suffix: String) {
  let name = baseName(path)
  let body = name.utf8.drop { $0 == UInt8(ascii: ".") }
  guard let dot = body.lastIndex(of: UInt8(ascii: ".")) else { return (path, "") }
  let suffix = String(name[dot...])
  return (String(path.utf8.dropLast(suffix.utf8.count)) ?? path, suffix)
}

/// `path` below `folder`, as Python's `os.path.join`: an absolute `path` is returned as it is.
public func join(_ folder: String, _ path: String) -> String {
  if path.utf8.first == UInt8(ascii: "/") || folder.isEmpty { return path }
  return folder.utf8.last == UInt8(ascii: "/") ? folder + path : folder + "/" + path
}

/// Whether both paths lead to the same file, through links and different spellings too. The file need not exist yet:
/// then the folders and names are compared.
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

/// The absolute path of `path` with all symbolic links resolved; nil where nothing exists there.
public func realPath(_ path: String) -> String? {
  guard let real = unsafe realpath(path, nil) else { return nil }
  defer { unsafe free(real) }
  return unsafe String(validatingCString: real)
}

/// Whether `path` names a folder, symbolic links followed.
public func isFolder(_ path: String) -> Bool {
  var info = stat()
  return unsafe stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
}

/// Creates the folder and its missing parents. It is no error if the folder exists already.
///
/// - Throws: `.system` where it cannot be created.
public func makeFolder(_ path: String) throws(FileError) {
  if isFolder(path) { return }
  let parent = folderName(path)
  if parent != path && parent != "." { try makeFolder(parent) }
  guard unsafe mkdir(path, 0o777) == 0 || (errno == EEXIST && isFolder(path)) else {
    throw FileError.last("make", path)
  }
}

/// Whether the folder has no entries, hidden ones included.
///
/// - Throws: where the folder cannot be opened.
public func isEmptyFolder(_ path: String) throws(FileError) -> Bool {
  guard let folder = unsafe opendir(path) else { throw FileError.last("open", path) }
  defer { unsafe closedir(folder) }
  var count = 0
  while unsafe readdir(folder) != nil { count += 1 }
  return count <= 2  // "." and ".."
}

/// The names of a folder's entries, hidden ones included, sorted by their bytes. Names that are not UTF-8 are left out.
///
/// - Throws: where the folder cannot be opened.
package func entryNames(ofFolder path: String) throws(FileError) -> [String] {
  guard let folder = unsafe opendir(path) else { throw FileError.last("open", path) }
  defer { unsafe closedir(folder) }
  var names: [String] = []
  while let entry = unsafe readdir(folder) {
    let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      unsafe String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    if let name, name != ".", name != ".." { names.append(name) }
  }
  return names.sorted(by: precedes)
}

/// The root folder of a run's inputs. It remembers which folder the path named when the run began.
public struct InputRoot: Hashable, Sendable {
  /// The path as the caller gave it.
  public let path: String
  private let device: UInt64
  private let node: UInt64

  /// Notes which folder `path` names now, symbolic links followed.
  ///
  /// - Throws: where there is no folder at `path`.
  public init(_ path: String) throws(FileError) {
    var info = stat()
    guard unsafe stat(path, &info) == 0 else { throw FileError.last("open", path) }
    guard info.st_mode & S_IFMT == S_IFDIR else {
      throw FileError(.system(call: "open", code: ENOTDIR), path: path)
    }
    self.path = path
    (device, node) = (UInt64(info.st_dev), UInt64(info.st_ino))
  }

  /// Checks that `path` still names the same folder.
  ///
  /// - Throws: `.wentAway` where the folder was moved, removed or unmounted, so that nothing below it can be found.
  public func check() throws(FileError) {
    guard let now = try? InputRoot(path), now == self else { throw FileError(.wentAway, path: path) }
  }
}
