import Encodings
import Files
import Glibc

/// The output files below a folder: their sorted paths, and a fast way to read them.
struct OutputFolder: Sendable {
  /// The paths, relative to the root, with their suffix.
  var files = ByteStrings()
  /// Whether each file needs a closer look, because `readdir` did not call it a regular file: links, FIFOs and the
  /// like.
  var isSpecial: [Bool] = []
  /// The number of files with other names, and of hidden folders; they are not read.
  var otherCount = 0
  /// The first of those by path.
  var firstOther: String?
  /// Folders that cannot be read.
  var problems: [InputProblem] = []
  /// The suffix of all files: `.out`, or `.json` where no file ends in `.out`.
  var suffix: [UInt8] = Array(".out".utf8)
  /// The byte count of the folders that all files are in.
  var commonFolderByteCount = 0
  let root: String
  private let handle: OpenFolder

  /// Walks the folder. Links to folders are followed; hidden folders are skipped.
  /// - Throws: `FileError` where the root itself cannot be read, or the paths have more than 4 GB in total.
  init(_ root: String) throws(FileError) {
    self.root = root
    handle = try OpenFolder(root)
    var walk = OutputWalk(handle)
    try walk.run()
    var found = walk.files(endingIn: ".out")
    if found.isEmpty {
      let others = walk.files(endingIn: ".json")
      if !others.isEmpty { (found, suffix) = (others, Array(".json".utf8)) }
    }
    for index in found {
      guard files.append(walk.paths[index]) else {
        throw FileError(.tooLarge(byteCount: .max, limit: ByteStrings.maximumByteCount), path: root)
      }
      isSpecial.append(walk.isSpecial[index])
    }
    otherCount = walk.paths.count - found.count
    firstOther = walk.firstOther(than: found).map { walk.paths.text($0) }
    problems = walk.problems
    commonFolderByteCount = files.commonFolderByteCount
  }

  /// A larger file is not read as the output of one image.
  static let maximumByteCount = 1 << 26

  /// Reads file `index` into the start of `buffer`, which grows if it is too small.
  ///
  /// - Returns: the byte count of the file.
  /// - Throws: `.file` where it cannot be read or has 64 MiB or more.
  func read(_ index: Int, into buffer: inout [UInt8]) throws(PredictionFault) -> Int {
    if isSpecial[index] {
      do throws(FileError) {
        buffer = try readFile(join(root, files.text(index)), limit: Self.maximumByteCount).bytes
        return buffer.count
      } catch {
        throw PredictionFault(.file(error.sentence))
      }
    }
    guard
      let descriptor = unsafe files.withCString(
        index, { unsafe openat(handle.descriptor, $0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }),
      descriptor >= 0
    else { throw systemFault("open", index) }
    defer { close(descriptor) }
    var count = 0
    while true {
      if count == buffer.count {
        // The size is asked for only now, because nearly all outputs fit into the buffer at once.
        var info = stat()
        guard unsafe fstat(descriptor, &info) == 0 else { throw systemFault("stat", index) }
        guard max(count, Int(info.st_size)) < Self.maximumByteCount else {
          throw PredictionFault(.file("it has more than \(Self.maximumByteCount) bytes"))
        }
        buffer.append(contentsOf: repeatElement(0, count: max(1 << 16, count)))
      }
      let got = unsafe buffer.withUnsafeMutableBytes { bytes in
        unsafe Glibc.read(descriptor, bytes.baseAddress.map { unsafe $0 + count }, bytes.count - count)
      }
      if got < 0 {
        if errno == EINTR { continue }
        throw systemFault("read", index)
      }
      // Only a read of 0 bytes means the end; a file system may return fewer bytes than it was asked for.
      if got == 0 { return count }
      count += got
    }
  }

  private func systemFault(_ call: String, _ index: Int) -> PredictionFault {
    PredictionFault(.file(FileError(.system(call: call, code: errno), path: files.text(index)).sentence))
  }
}

/// An open folder, from which files are opened by short relative paths; closed by `deinit`.
final class OpenFolder: Sendable {
  let descriptor: Int32

  init(_ path: String) throws(FileError) {
    descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(.system(call: "open", code: errno), path: path) }
  }

  deinit { close(descriptor) }
}

/// Lists every file below a folder, with one folder open at a time.
struct OutputWalk {
  private(set) var paths = ByteStrings()
  private(set) var isSpecial: [Bool] = []
  private(set) var problems: [InputProblem] = []
  private let handle: OpenFolder
  /// Device and inode of the folders walked so far, because a link may lead back to one.
  private var entered: Set<[UInt64]> = []

  init(_ handle: OpenFolder) { self.handle = handle }

  mutating func run() throws(FileError) {
    var folders: [[UInt8]] = [[]]
    while let folder = folders.popLast() {
      do throws(FileError) {
        folders += try list(folder)
      } catch {
        if folder.isEmpty { throw error }
        problems.append(
          InputProblem(path: nameText(folder), reason: "its folder cannot be read: \(error.sentence)"))
      }
    }
  }

  /// Adds the files of a folder to `paths`.
  /// - Returns: the folders in it that are to be walked.
  private mutating func list(_ folder: [UInt8]) throws(FileError) -> [[UInt8]] {
    let name = folder.isEmpty ? [UInt8(ascii: ".")] : folder
    let descriptor = unsafe openat(
      handle.descriptor, (name + [0]).map { CChar(bitPattern: $0) }, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0, let stream = unsafe fdopendir(descriptor) else {
      let code = errno
      if descriptor >= 0 { close(descriptor) }
      throw FileError(.system(call: "open", code: code), path: nameText(name))
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
    guard errno == 0 else { throw FileError(.system(call: "read", code: errno), path: nameText(name)) }
    return folders
  }

  /// Whether the name is litter, such as the lock of a killed transform. Names that end in `.out`, which are most, are
  /// recognised without a look at the list of litter.
  private func isLeftBehind(_ name: [UInt8]) -> Bool {
    if name.first != UInt8(ascii: "."), name.suffix(4).elementsEqual(".out".utf8) { return false }
    return String(validating: name, as: UTF8.self).map { isLitter($0) } ?? false
  }

  private func leadsToFolder(_ path: [UInt8]) -> Bool {
    var info = stat()
    let status = unsafe fstatat(handle.descriptor, (path + [0]).map { CChar(bitPattern: $0) }, &info, 0)
    return status == 0 && info.st_mode & S_IFMT == S_IFDIR
  }

  /// The indexes of the files with this suffix, sorted by path.
  func files(endingIn suffix: String) -> [Int] {
    let suffix = Array(suffix.utf8)
    return (0..<paths.count).filter {
      paths[$0].count > suffix.count && paths[$0].suffix(suffix.count).elementsEqual(suffix)
    }
    .sorted { paths.precedes($0, $1) }
  }

  /// The first by path of the files that are not among `files`.
  func firstOther(than files: [Int]) -> Int? {
    if files.count == paths.count { return nil }
    let files = Set(files)
    return (0..<paths.count).filter { !files.contains($0) }.min { paths.precedes($0, $1) }
  }
}
