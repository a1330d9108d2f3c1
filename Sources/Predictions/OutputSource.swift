import Files

/// Where the outputs of a run are: a folder of files, or one file of JSON lines.
public struct OutputSource: Sendable {
  enum Kind: Sendable {
    case folder(OutputFolder)
    case lines(String)
  }
  let kind: Kind
  public let path: String

  /// Looks what there is; a folder is walked, no output is read.
  ///
  /// - Parameter path: a folder, in which (and below) the files `<name>.out` are outputs, where there are none, those
  ///   named `<name>.json`; or a file of JSON lines.
  public init(_ path: String) throws(OutputError) {
    self.path = path
    do throws(FileError) {
      guard isFolder(path) else {
        _ = try InputFile(path)
        kind = .lines(path)
        return
      }
      let folder = try OutputFolder(path)
      // Batch transform of one file of many records gives one output with a line for each.
      if folder.files.count == 1, case let file = join(path, folder.files.text(0)),
        try Self.holdsSeveralLines(file)
      {
        kind = .lines(file)
      } else {
        kind = .folder(folder)
      }
    } catch {
      throw OutputError(.file(error), path: path)
    }
  }

  /// How many outputs there are; `nil` for lines, which are counted while they are read.
  public var count: Int? {
    switch kind {
    case .folder(let folder): folder.files.count
    case .lines: nil
    }
  }

  /// Files in the folder that are not outputs by their name, and the first of them.
  public var others: (count: Int, first: String?) {
    switch kind {
    case .folder(let folder): (folder.otherCount, folder.firstOther)
    case .lines: (0, nil)
    }
  }

  /// Folders that could not be read: what is in them is missing.
  public var problems: [Truth.Rejection] {
    switch kind {
    case .folder(let folder): folder.problems
    case .lines: []
    }
  }

  private static func holdsSeveralLines(_ path: String) throws(FileError) -> Bool {
    do throws(FileError) {
      var blocks = try LineBlocks(path)
      var count = 0
      while count < 2, let block = try blocks.next() { block.forEachLine { _, _ in count += 1 } }
      return count >= 2
    } catch {
      // A file that cannot be read is an invalid output, named when its turn comes.
      return false
    }
  }
}
