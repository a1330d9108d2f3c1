import Files
import Imaging
import Records

/// Gives the inputs of a batch transform one after the other.
protocol TransformReader: AnyObject {
  /// The next one, nil at the end.
  func next() throws -> TransformItem?
  /// How many there are, where that is known before the end.
  var total: Int? { get }
  /// How far the reading is, 0...1.
  var fraction: Double { get }
  /// The folder that all files lie below, where there is one.
  var root: InputRoot? { get }
  /// Files of a folder that are not taken, by kind.
  var passedOver: [PassedOver] { get }
  /// What a user should know of the input.
  var warnings: [String] { get }
}

extension TransformReader {
  var passedOver: [PassedOver] { [] }
  var warnings: [String] { [] }
}

extension TransformInput {
  /// - Throws: `ScanError`, `FileError`, `ManifestError`; `PackingError` where the input is of no kind that is known.
  func open() throws -> any TransformReader {
    switch self {
    case .folder(let root): try ListedInputs(folder: root)
    case .list(let path, let root): try ListInputs(path, root: root)
    case .records(let path): try RecordInputs(path)
    case .manifest(let path): try ListedInputs(manifest: path)
    }
  }
}

/// Inputs that are known from the start.
private final class ListedInputs: TransformReader {
  private let items: [(path: String, name: String, place: String?)]
  private let problems: [Skip]
  private var taken = 0
  let root: InputRoot?
  let passedOver: [PassedOver]
  let warnings: [String]

  /// The images below a folder, by their names' endings.
  init(folder: String) throws {
    let scan = try FolderScan(root: folder, layout: .images)
    root = try InputRoot(folder)
    passedOver = scan.passedOver
    warnings = folderWarnings(scan)
    items = scan.images.map { (join(folder, $0.path), $0.path, nil) }
    problems = scan.problems.map { Skip(path: $0.path, reason: $0.reason) }
  }

  init(manifest path: String) throws {
    let manifest = try Manifest(path)
    items = manifest.paths.enumerated().map { index, name in
      (manifest.prefix + name, name, "\(path): element \(index + 2)")
    }
    problems = []
    // Where the prefix names no folder, each image is missing by itself.
    root = try? InputRoot(folderName(manifest.prefix + "-"))
    (passedOver, warnings) = ([], [])
  }

  var total: Int? { items.count + problems.count }
  var fraction: Double { Double(taken) / Double(max(1, items.count + problems.count)) }

  func next() -> TransformItem? {
    defer { taken += 1 }
    if taken < problems.count { return .unusable(problems[taken]) }
    guard taken - problems.count < items.count else { return nil }
    let item = items[taken - problems.count]
    return .file(at: item.path, named: item.name, place: item.place)
  }
}

/// The lines of a `.lst` file.
private final class ListInputs: TransformReader {
  private var reader: ListReader
  private let list: String
  private let folder: String
  let root: InputRoot?
  let total: Int? = nil

  init(_ list: String, root: String) throws {
    try checkIsList(list)
    reader = try ListReader(list)
    self.list = list
    folder = root
    self.root = try InputRoot(root)
  }

  var fraction: Double { Double(reader.doneByteCount) / Double(max(1, reader.byteCount)) }

  func next() throws -> TransformItem? {
    switch try reader.next() {
    case nil: return nil
    case .bad(let reason, let line, _): return .unusable(Skip(path: "\(list):\(line)", reason: reason))
    case .entry(let entry, let line):
      let (file, path) = locate(entry.path, root: folder)
      return .file(at: file, named: path, place: "\(list):\(line)")
    }
  }
}

/// The records of a `.rec` file; an output has the record's id as its name.
private final class RecordInputs: TransformReader {
  private var reader: RecordReader
  private var ids = IDSet()
  private let path: String
  let total: Int? = nil
  let root: InputRoot? = nil

  init(_ path: String) throws {
    reader = try RecordReader(path)
    self.path = path
  }

  var fraction: Double { Double(reader.offset) / Double(max(1, reader.byteCount)) }

  func next() throws -> TransformItem? {
    guard let streamed = try StreamedRecord.next(&reader) else { return nil }
    do throws(RecordError) {
      let record = try ImageRecord(streamed)
      if record.isLabelRecord { return .ignored }
      let id = record.header.id
      guard ids.insert(id) else {
        return .unusable(
          Skip(
            path: "\(path):\(record.offset)", reason: "an earlier record has its id, \(id), and that output"))
      }
      let bytes = record.withImage { unsafe $0.withUnsafeBufferPointer { unsafe Array($0) } }
      return .image(.init(name: "\(id)", output: "\(id).out", content: .bytes(bytes)))
    } catch {
      return .unusable(Skip(path: "\(path):\(error.offset)", reason: error.sentence))
    }
  }
}
