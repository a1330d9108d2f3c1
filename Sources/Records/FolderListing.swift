import Files
import Glibc

/// A folder on disk, whichever path leads to it.
struct FolderIdentity: Hashable {
  let device: UInt64
  let node: UInt64
}

/// What one folder holds, sorted by code point.
struct FolderListing {
  private enum Kind {
    case file, folder
    /// What it is instead: "this is a FIFO, not an image".
    case other(String)
  }
  struct Problem {
    var name: String
    var reason: String
  }
  let identity: FolderIdentity
  /// Regular files, links followed, whose names have one of the extensions.
  var files: [String] = []
  var folders: [String] = []
  /// Names of images that cannot be listed, and why.
  var imageProblems: [Problem] = []
  /// Folders whose names cannot stand in a list.
  var folderProblems: [Problem] = []

  /// Reads the folder; one pass, no order assumed, `stat` only where the system does not say what an entry is.
  ///
  /// - Throws: where the folder cannot be opened or read.
  init(_ path: String, isImageName: (String) -> Bool) throws(FileError) {
    guard let folder = unsafe opendir(path) else {
      throw FileError(.system(call: "open", code: errno), path: path)
    }
    defer { unsafe closedir(folder) }
    var info = stat()
    guard unsafe fstat(dirfd(folder), &info) == 0 else {
      throw FileError(.system(call: "stat", code: errno), path: path)
    }
    identity = FolderIdentity(device: UInt64(info.st_dev), node: UInt64(info.st_ino))
    while true {
      errno = 0
      guard let entry = unsafe readdir(folder) else { break }
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe [UInt8](bytes.prefix { $0 != 0 })
      }
      if name == [0x2e] || name == [0x2e, 0x2e] { continue }
      add(name, type: unsafe Int(entry.pointee.d_type), in: path, isImageName)
    }
    guard errno == 0 else { throw FileError(.system(call: "read", code: errno), path: path) }
    files.sort(by: precedes)
    folders.sort(by: precedes)
    imageProblems.sort { precedes($0.name, $1.name) }
    folderProblems.sort { precedes($0.name, $1.name) }
  }

  private mutating func add(_ bytes: [UInt8], type: Int, in path: String, _ isImageName: (String) -> Bool) {
    guard let name = String(validating: bytes, as: UTF8.self) else {
      let problem = Problem(name: printable(bytes), reason: "its name is not UTF-8, which a list has to be")
      if isImageName(String(decoding: bytes, as: UTF8.self)) {
        imageProblems.append(problem)
      } else if [Int(DT_DIR), Int(DT_LNK), Int(DT_UNKNOWN)].contains(type) {
        folderProblems.append(problem)
      }
      return
    }
    let isImage = isImageName(name)
    // What is no image and surely no folder is nobody's loss.
    if !isImage && type == Int(DT_REG) { return }
    let kind = kind(type, of: join(path, name))
    switch (kind, fault(in: name)) {
    case (.folder, nil): folders.append(name)
    case (.folder, let fault?): folderProblems.append(Problem(name: printable(bytes), reason: fault))
    case (.file, nil) where isImage: files.append(name)
    case (.file, let fault?) where isImage:
      imageProblems.append(Problem(name: printable(bytes), reason: fault))
    case (.other(let what), _) where isImage:
      imageProblems.append(Problem(name: printable(bytes), reason: what))
    case (.file, _), (.other, _): break
    }
  }

  /// Why the name cannot stand in a list line; `nil` if it can.
  private func fault(in name: String) -> String? {
    for byte in name.utf8 {
      switch byte {
      case UInt8(ascii: "\n"): return "its name holds a line feed, which ends a list line"
      case UInt8(ascii: "\r"): return "its name holds a carriage return, which ends a list line"
      case UInt8(ascii: "\t"): return "its name holds a tab, which separates the fields of a list line"
      default: continue
      }
    }
    return nil
  }

  private func kind(_ type: Int, of path: String) -> Kind {
    switch type {
    case Int(DT_REG): return .file
    case Int(DT_DIR): return .folder
    case Int(DT_FIFO): return .other("this is a FIFO, not an image")
    case Int(DT_SOCK): return .other("this is a socket, not an image")
    case Int(DT_CHR), Int(DT_BLK): return .other("this is a device, not an image")
    default: break
    }
    // A link, or a file system that does not say.
    var info = stat()
    guard unsafe stat(path, &info) == 0 else {
      let code = errno
      if code == ENOENT { return .other("this link leads nowhere") }
      return .other(FileError(.system(call: "open", code: code), path: path).sentence)
    }
    switch info.st_mode & S_IFMT {
    case S_IFREG: return .file
    case S_IFDIR: return .folder
    case S_IFIFO: return .other("this is a FIFO, not an image")
    case S_IFSOCK: return .other("this is a socket, not an image")
    default: return .other("this is a device, not an image")
    }
  }
}
