package import Files
import Glibc

/// Where the outputs of a transform go, one after the other: each from `open` to `close` or `discard`.
///
/// A name is a relative path without `..`, and no two outputs of a transform have the same one.
package protocol TransformOutputs: AnyObject {
  /// Whether an earlier run left this output whole.
  func isWhole(_ name: String) -> Bool
  /// Begins an output. Nothing is seen under its name before it is whole.
  func open(_ name: String) throws(FileError)
  /// Adds to the output that is open.
  func append(_ bytes: Span<UInt8>) throws(FileError)
  /// Makes the open output whole; it may get its name with a later `publish`.
  func close() throws(FileError)
  /// Removes the output that is open, if there is one.
  func discard()
  /// Gives whole outputs their names; before the last call it may leave that to a later one.
  func publish(last: Bool) throws(FileError)
  /// Removes the outputs that have no names yet: the place failed.
  func abandon()
}

/// Outputs as files of a folder, which no other run may write to meanwhile.
///
/// They get their names when they are on the disk, some hundred at a time (`StagedGroup`).
final class OutputFolder: TransformOutputs {
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
    try outputs.add(openPath, openBytes.span)
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
