import Files
import Glibc

/// The output files below a folder: their paths, sorted, and the means to read them quickly.
struct OutputFolder: Sendable {
  /// Relative to the root, with their suffix.
  var files = ByteStrings()
  /// Which of them `readdir` did not call a regular file: links, and things that are no files.
  var isSpecial: [Bool] = []
  /// Files of other names and hidden folders; they are not read.
  var otherCount = 0
  var firstOther: String?
  /// Folders that cannot be read.
  var problems: [Truth.Rejection] = []
  /// What all files end in: `.out`; where there is no such file, `.json`.
  var suffix: [UInt8] = Array(".out".utf8)
  /// Bytes of the folders that all files are in.
  var commonFolderByteCount = 0
  let root: String
  private let handle: FolderHandle

  /// Walks the folder; links to folders are followed, hidden folders passed over.
  /// - Throws: where the root itself cannot be read.
  init(_ root: String) throws(FileError) {
    self.root = root
    handle = try FolderHandle(root)
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

  /// A file of more is taken for no output of one image.
  static let maximumByteCount = 1 << 26

  /// Reads file `index` to the start of `buffer`, which grows where it is too small.
  ///
  /// - Returns: the file's size.
  /// - Throws: a sentence where it cannot be read.
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
        // Only now is it worth asking for the size: nearly all outputs fit at once.
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
      // Only no bytes at all mean the end: a file system may give less than is asked for.
      if got == 0 { return count }
      count += got
    }
  }

  private func systemFault(_ call: String, _ index: Int) -> PredictionFault {
    PredictionFault(.file(FileError(.system(call: call, code: errno), path: files.text(index)).sentence))
  }
}

/// An open folder, from which files are opened by short relative paths.
final class FolderHandle: Sendable {
  let descriptor: Int32

  init(_ path: String) throws(FileError) {
    descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(.system(call: "open", code: errno), path: path) }
  }

  deinit { close(descriptor) }
}
