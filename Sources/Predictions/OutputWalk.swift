import Files
import Glibc

/// The walk behind `OutputFolder`: every file below a folder, one folder open at a time.
struct OutputWalk {
  private(set) var paths = ByteStrings()
  private(set) var isSpecial: [Bool] = []
  private(set) var problems: [Truth.Rejection] = []
  private let handle: FolderHandle
  /// Folders walked already: a link may lead to one.
  private var entered: Set<[UInt64]> = []

  init(_ handle: FolderHandle) { self.handle = handle }

  mutating func run() throws(FileError) {
    var folders: [[UInt8]] = [[]]
    while let folder = folders.popLast() {
      do throws(FileError) {
        folders += try list(folder)
      } catch {
        if folder.isEmpty { throw error }
        problems.append(
          Truth.Rejection(path: shown(folder), reason: "its folder cannot be read: \(error.sentence)"))
      }
    }
  }

  /// Takes the files of a folder in.
  /// - Returns: the folders in it.
  private mutating func list(_ folder: [UInt8]) throws(FileError) -> [[UInt8]] {
    let name = folder.isEmpty ? [UInt8(ascii: ".")] : folder
    let descriptor = unsafe openat(
      handle.descriptor, (name + [0]).map { CChar(bitPattern: $0) }, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0, let stream = unsafe fdopendir(descriptor) else {
      let code = errno
      if descriptor >= 0 { close(descriptor) }
      throw FileError(.system(call: "open", code: code), path: shown(name))
    }
    defer { unsafe closedir(stream) }
    var info = stat()
    guard unsafe fstat(descriptor, &info) == 0,
      entered.insert([UInt64(info.st_dev), UInt64(info.st_ino)]).inserted
    else { return [] }
    var folders: [[UInt8]] = []
    let prefix = folder.isEmpty ? [] : folder + [UInt8(ascii: "/")]
    while true {
      errno = 0
      guard let entry = unsafe readdir(stream) else { break }
      let type = unsafe Int(entry.pointee.d_type)
      let entryName = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe [UInt8](bytes.prefix { $0 != 0 })
      }
      if entryName == [UInt8(ascii: ".")] || entryName == Array("..".utf8) { continue }
      if isLeftBehind(entryName) { continue }
      let path = prefix + entryName
      let isFolder = type == Int(DT_DIR) || (type != Int(DT_REG) && leadsToFolder(path))
      if isFolder && entryName.first != UInt8(ascii: ".") {
        folders.append(path)
      } else if paths.append(path) {
        isSpecial.append(type != Int(DT_REG))
      }
    }
    guard errno == 0 else { throw FileError(.system(call: "read", code: errno), path: shown(name)) }
    return folders
  }

  /// Litter, the lock of a transform that was killed among it; most names are an output's, which is seen at once.
  private func isLeftBehind(_ name: [UInt8]) -> Bool {
    if name.first != UInt8(ascii: "."), name.suffix(4).elementsEqual(".out".utf8) { return false }
    return String(validating: name, as: UTF8.self).map { isLitter($0) } ?? false
  }

  private func leadsToFolder(_ path: [UInt8]) -> Bool {
    var info = stat()
    let status = unsafe fstatat(handle.descriptor, (path + [0]).map { CChar(bitPattern: $0) }, &info, 0)
    return status == 0 && info.st_mode & S_IFMT == S_IFDIR
  }

  /// The files of this suffix, sorted by path.
  func files(endingIn suffix: String) -> [Int] {
    let suffix = Array(suffix.utf8)
    return (0..<paths.count).filter {
      paths[$0].count > suffix.count && paths[$0].suffix(suffix.count).elementsEqual(suffix)
    }
    .sorted { paths.precedes($0, $1) }
  }

  /// The first of the files that are not among these.
  func firstOther(than files: [Int]) -> Int? {
    if files.count == paths.count { return nil }
    let files = Set(files)
    return (0..<paths.count).filter { !files.contains($0) }.min { paths.precedes($0, $1) }
  }
}
