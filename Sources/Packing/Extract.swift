public import Files
import Imaging
import Records

/// The result of `extract`.
public struct Extraction: Codable, Sendable {
  /// Images written.
  public var images = 0
  /// Class folders written.
  public var folders = 0
  /// The path of the list that packs the images again.
  public var list = ""
  /// Bytes of the images.
  public var bytes = 0
  /// Records with labels but no image.
  public var labelRecords = 0
  /// Records that could not be extracted, with the reason.
  public var skipped: [Skip] = []
  public var seconds = 0.0
}

/// Writes the stored bytes of each image in a `.rec` file to `<folder>/<label>/<id>.<jpg|png>`, and a list of all
/// images in the order of the records.
///
/// Packing that list with `passThrough` (and `packLabel`) gives the same records.
/// - Parameters:
///   - folder: created if it does not exist; must be empty unless `overwrite` is set.
///   - classes: names of labels 0, 1, ..., used as folder names instead of the numbers. The labels are then checked
///     first, which reads the file twice.
/// - Throws: `PackingError` if the folder is not empty or a label has no name; `InputError` if there is no image;
///   `FileError`. A damaged record, or a label that a list cannot represent, is *not* an error: the record is skipped.
public func extract(
  _ path: String, to folder: String, classes: [String] = [], overwrite: Bool = false,
  progress: (Progress) -> Void = { _ in }
) throws -> Extraction {
  let start = ContinuousClock.now
  var reader = try RecordReader(path)
  try makeFolder(folder)
  if try !overwrite && !isEmptyFolder(folder) {
    throw PackingError(.contradiction("\(folder): this folder is not empty"))
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
          Skip(
            path: "\(path):\(content.offset)", reason: "its label is \(label), which a list cannot represent")
        )
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
    throw InputError("\(path): this file holds no image")
  }
  try list.publish()
  result.folders = writer.folderCount
  result.seconds = (ContinuousClock.now - start) / .seconds(1)
  return result
}

/// Checks that every label has a name. Otherwise a folder called "8" beside named ones would look like a class named
/// "8".
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
          "\(path): byte \(content.offset): the label \(content.labelName) has no class name; the \(classes.count) "
            + "names are for the labels 0 to \(classes.count - 1)"))
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

/// Writes each image to the folder of its class, under a unique name.
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

  /// - Returns: the path relative to `folder`.
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
