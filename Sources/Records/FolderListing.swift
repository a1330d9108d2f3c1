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
  /// Names of what is neither a wanted image nor a folder, in any order, by the kind that they tell of.
  var others: [String: [String]] = [:]
  /// Files and folders that systems and editors leave behind, in any order.
  var litter: [String] = []
  private let keepsLitter: Bool
  /// A failure of the machine while an entry was looked at.
  private var failure: FileError?

  /// Reads the folder; one pass, no order assumed, `stat` only where the system does not say what an entry is.
  ///
  /// - Parameter keepsLitter: takes files and folders for what they are also where their names are those of litter.
  /// - Throws: where the folder cannot be opened or read.
  init(_ path: String, keepsLitter: Bool, isImageName: (String) -> Bool) throws(FileError) {
    self.keepsLitter = keepsLitter
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
    if let failure { throw failure }
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
      } else {
        let name = printable(bytes)
        others[suffixKind(ofName: name), default: []].append(name)
      }
      return
    }
    let isImage = isImageName(name)
    if !keepsLitter && mayBeLitter(name, isImage) && isLitter(name) {
      // The lock of this very run, where the outputs lie among the inputs, is nothing to be told of.
      if !name.hasByteSuffix(".imrec.lock") { litter.append(name) }
      return
    }
    if !isImage && type == Int(DT_REG) {
      others[suffixKind(ofName: name), default: []].append(name)
      return
    }
    let kind = kind(type, of: join(path, name))
    switch (kind, fault(in: name)) {
    case (.folder, nil): folders.append(name)
    case (.folder, let fault?): folderProblems.append(Problem(name: printable(bytes), reason: fault))
    case (.file, nil) where isImage: files.append(name)
    case (.file, let fault?) where isImage:
      imageProblems.append(Problem(name: printable(bytes), reason: fault))
    case (.other(let what), _) where isImage:
      imageProblems.append(Problem(name: printable(bytes), reason: what))
    case (.file, _), (.other, _): others[suffixKind(ofName: name), default: []].append(name)
    }
  }

  /// Spares a million images the look into the list: no litter ends as an image does, but where it begins so.
  private func mayBeLitter(_ name: String, _ isImage: Bool) -> Bool {
    guard isImage, let first = name.utf8.first else { return true }
    return first == UInt8(ascii: ".") || first == UInt8(ascii: "~")
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

  private mutating func kind(_ type: Int, of path: String) -> Kind {
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
      let error = FileError(.system(call: "open", code: code), path: path)
      if error.isOfMachine && failure == nil { failure = error }
      return .other(error.sentence)
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
