package import Files
import Glibc

/// Where the outputs of a transform are written, one at a time: each from `open` to `close` or `discard`.
///
/// A name is a relative path without `..`. No two outputs of a transform have the same name.
package protocol TransformOutputs: AnyObject {
  /// Whether an earlier run completed this output.
  func isWhole(_ name: String) -> Bool
  /// Begins an output, which appears under its name only when complete.
  func open(_ name: String) throws(FileError)
  /// Appends to the open output.
  func append(_ bytes: Span<UInt8>) throws(FileError)
  /// Completes the open output. It may get its name only with a later `publish`.
  func close() throws(FileError)
  /// Removes the open output, if there is one.
  func discard()
  /// Gives complete outputs their names. Only the last call must do so for all of them.
  func publish(last: Bool) throws(FileError)
  /// Removes complete outputs that have no names yet, after an error of the place itself.
  func abandon()
}

/// Writes outputs as files in a folder, which is locked against other runs.
///
/// Files get their names when they are on the disk, some hundred at a time (`StagedGroup`). The open output is held in
/// memory.
final class TransformFolder: TransformOutputs {
  private let folder: String
  private let isWholeFile: (_ path: String) -> Bool
  private let lock: OutputLock
  private var outputs: StagedGroup
  private var openPath = ""
  private var openBytes: [UInt8] = []
  private var lastFolder = ""
  private var lastPublished = ContinuousClock.now

  /// How many outputs wait for their names, and for how long.
  private static let groupCount = 512
  private static let groupTime = Duration.seconds(2)

  /// - Parameters:
  ///   - folder: created where it does not exist.
  ///   - isWholeFile: whether an earlier run made the file at this path.
  /// - Throws: `FileError`, `.held` where another run writes to the folder.
  init(_ folder: String, isWholeFile: @escaping (_ path: String) -> Bool) throws(FileError) {
    try makeFolder(folder)
    self.folder = folder
    self.isWholeFile = isWholeFile
    lock = try OutputLock(folder: folder)
    outputs = try StagedGroup(folder)
  }

  func isWhole(_ name: String) -> Bool { isWholeFile(join(folder, name)) }

  func open(_ name: String) {
    openPath = join(folder, name)
    openBytes = []
  }

  func append(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBufferPointer { unsafe openBytes.append(contentsOf: $0) }
  }

  func close() throws(FileError) {
    try makeFolderOnce(folderName(openPath))
    let bytes = openBytes
    try outputs.add(openPath, bytes.span)
  }

  func discard() { openBytes = [] }

  func publish(last: Bool) throws(FileError) {
    let now = ContinuousClock.now
    if last || outputs.count >= Self.groupCount || now - lastPublished > Self.groupTime {
      try outputs.publish(last: last)
      lastPublished = now
    }
  }

  func abandon() { outputs.discard() }

  private func makeFolderOnce(_ path: String) throws(FileError) {
    if hasSameBytes(path, lastFolder) { return }
    try makeFolder(path)
    lastFolder = path
  }
}

extension FileError {
  /// Whether the name is at fault, so that the next output may well be written.
  var isOfName: Bool {
    if case .system(_, let code) = reason {
      [ENAMETOOLONG, ENOTDIR, EISDIR, ELOOP, EEXIST].contains(code)
    } else {
      false
    }
  }
}
