public import Files
import Imaging
import Records

/// What `extract` made.
public struct Extraction: Codable, Sendable {
  /// Images written.
  public var images = 0
  public var folders = 0
  /// Of the list that packs the images again.
  public var list = ""
  public var bytes = 0
  /// Records with labels and no image.
  public var labelRecords = 0
  public var skipped: [Skip] = []
  public var seconds = 0.0
}

/// Writes each image of a `.rec` file as it is stored, to `<folder>/<label>/<id>.<jpg|png>`, and a list of them all
/// in the order of the records.
///
/// Packing that list again with `passThrough` (and `packLabel`) gives the same records.
/// - Parameter classes: names for labels 0, 1, ...: they name the folders instead of the numbers. The labels are then
///   looked through first, which reads the file twice.
/// - Throws: `PackingError` where the folder holds something already, and where a label has no name; `FileError`. A
///   damaged record is skipped, and one whose labels no list can hold.
public func extract(
  _ path: String, to folder: String, classes: [String] = [], overwrite: Bool = false,
  progress: (Progress) -> Void = { _ in }
) throws -> Extraction {
  let start = ContinuousClock.now
  var reader = try RecordReader(path)
  try makeFolder(folder)
  if try !overwrite && !isEmptyFolder(folder) {
    throw PackingError(.contradiction("\(folder): there is something in this folder already"))
  }
  try checkNames(of: classes, forLabelsIn: path)
  var result = Extraction()
  result.list = join(folder, splitExtension(baseName(path)).stem + ".lst")
  try checkNames(outputs: [result.list], inputs: [path])
  var list = try StagedFile(result.list)
  var writer = ImageWriter(folder: folder, classes: classes)
  do {
    while let item = try StreamedRecord.next(&reader) {
      try Task.checkCancellation()
      progress(
        Progress(
          done: result.images, skipped: result.skipped.count, byte: reader.offset, of: reader.byteCount))
      let content: ImageRecord
      do throws(RecordError) {
        content = try ImageRecord(item)
      } catch {
        result.skipped.append(Skip(path: "\(path):\(error.offset)", reason: error.sentence))
        continue
      }
      if content.isLabelRecord {
        result.labelRecords += 1
        continue
      }
      let labels = content.header.allLabels.map { Double($0) }
      if let label = labels.first(where: { !$0.isFinite }) {
        result.skipped.append(
          Skip(path: "\(path):\(content.offset)", reason: "its label is \(label), which no list can hold"))
        continue
      }
      let name = try writer.write(content)
      try list.append(ListEntry(id: content.header.id, labels: labels, path: name).line)
      result.images += 1
      result.bytes += content.imageByteCount
    }
  } catch {
    list.discard()
    throw error
  }
  guard result.images > 0 else {
    list.discard()
    throw InputError("\(path): it holds no image")
  }
  try list.publish()
  result.folders = writer.folderCount
  result.seconds = (ContinuousClock.now - start) / .seconds(1)
  return result
}

/// Every label has a name: a folder called "8" beside those of classes would pass for a class of that name.
private func checkNames(of classes: [String], forLabelsIn path: String) throws {
  guard !classes.isEmpty else { return }
  var reader = try RecordReader(path)
  while let item = try StreamedRecord.next(&reader) {
    try Task.checkCancellation()
    guard let content = try? ImageRecord(item), !content.isLabelRecord else { continue }
    if (content.header.allLabels.first ?? content.header.label).isFinite
      && content.className(of: classes) == nil
    {
      throw PackingError(
        .contradiction(
          "\(path): byte \(content.offset): the label \(content.labelName) has no name: there are \(classes.count) "
            + "class names, for the labels 0 to \(classes.count - 1)"))
    }
  }
}

extension ImageRecord {
  fileprivate func className(of classes: [String]) -> String? {
    guard let index = Int(exactly: header.allLabels.first ?? header.label), classes.indices.contains(index)
    else { return nil }
    return classes[index]
  }
}

/// Gives each image a folder and a name of its own.
private struct ImageWriter {
  let folder: String
  let classes: [String]
  private var made: Set<ByteName> = []
  private var ids = IDSet()
  private var repeats: [UInt64: Int] = [:]

  init(folder: String, classes: [String]) {
    self.folder = folder
    self.classes = classes
  }

  var folderCount: Int { made.count }

  /// - Returns: the path below the folder.
  mutating func write(_ content: ImageRecord) throws(FileError) -> String {
    let subfolder = content.className(of: classes) ?? content.labelName
    if made.insert(ByteName(subfolder)).inserted { try makeFolder(join(folder, subfolder)) }
    var stem = "\(content.header.id)"
    if !ids.insert(content.header.id) {
      let count = repeats[content.header.id, default: 1] + 1
      repeats[content.header.id] = count
      stem += "-\(count)"
    }
    let name = "\(subfolder)/\(stem).\(suffix(content))"
    var file = try StagedFile(join(folder, name))
    try content.withImage { (image) throws(FileError) in try file.append(image) }
    try file.publish(durably: false)
    return name
  }

  private func suffix(_ content: ImageRecord) -> String {
    switch try? content.withImage({ try probe($0).format }) {
    case .jpeg: "jpg"
    case .png: "png"
    case nil: "bin"
    }
  }
}
