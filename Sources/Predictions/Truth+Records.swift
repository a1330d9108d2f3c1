import Files
import Records

extension Truth {
  /// A `.lst` file; the label must be one whole number.
  init(list path: String, classes: ClassList?) throws(TruthError) {
    self.init(.list, classes: classes)
    var reader = try readingTruth(path) { () throws(FileError) in try ListReader(path) }
    while let line = try readingTruth(path, { () throws(FileError) in try reader.next() }) {
      switch line {
      case .bad(let reason, let number, _):
        rejections.append(Rejection(path: "\(baseName(path)) line \(number)", reason: reason))
      case .entry(let entry, _):
        try add(entry, path)
      }
    }
  }

  private mutating func add(_ entry: ListEntry, _ source: String) throws(TruthError) {
    let bytes = Array(entry.strippedPath.utf8)
    guard let label = entry.labels.first, entry.labels.count == 1 else {
      reject(bytes, "it has \(entry.labels.count) labels; one class is expected", id: entry.id)
      return
    }
    try add(bytes, label: label, id: entry.id, source: source)
  }

  /// The images of a `.rec` file, named by their ids.
  init(records path: String, classes: ClassList?) throws(TruthError) {
    self.init(.records, classes: classes)
    do throws(RecordError) {
      var reader = try RecordReader(path)
      while true {
        let offset = reader.offset
        do throws(RecordError) {
          guard let record = try reader.next() else { break }
          try add(record)
        } catch {
          if case .file = error.reason { throw error }
          rejections.append(Rejection(path: "\(baseName(path)) byte \(offset)", reason: error.sentence))
          if reader.offset == offset, try reader.resynchronise() == nil { break }
        }
      }
    } catch {
      throw TruthError(.records(error), path: path)
    }
  }

  private mutating func add(_ record: Record) throws(RecordError) {
    let (header, imageStart) = try record.parse()
    // Records of labels without an image, as InsightFace's sets have, are no inputs.
    if imageStart == record.payload.count { return }
    let name = Array("\(header.id)".utf8)
    guard let label = header.allLabels.first, header.allLabels.count == 1 else {
      reject(name, "it has \(header.allLabels.count) labels; one class is expected", id: header.id)
      return
    }
    guard let whole = Int(exactly: label), let label = checked(whole) else {
      reject(name, "label \(label) is unknown; \(expectedLabels) is expected", id: header.id)
      return
    }
    guard paths.append(name) else { return reject(name, Self.tooLarge) }
    labels.append(label)
    ids.append(header.id)
  }

  /// A folder of class folders.
  init(folders path: String, classes: ClassList?) throws(TruthError) {
    let scan: FolderScan
    do throws(ScanError) {
      scan = try FolderScan(root: path, layout: .classFolders)
    } catch {
      throw TruthError(.scan(error), path: path)
    }
    var folders = classes
    if folders == nil { folders = try ClassList(scan.classes) }
    self.init(.folders, classes: folders)
    passedOver = scan.passedOver.filter(\.areImages).map(\.sentence)
    for problem in scan.problems { reject(Array(problem.path.utf8), problem.reason) }
    let labels = scan.classes.map { self.classes?.label(of: Array($0.utf8)) }
    for image in scan.images {
      let bytes = Array(image.path.utf8)
      if let label = labels[image.classIndex] {
        try add(bytes, Int32(label), nil, path)
      } else {
        let name = scan.classes[image.classIndex]
        let other = self.classes?.lookalike(of: name).map { ", where \"\($0)\" looks like it" } ?? ""
        reject(bytes, "its folder \"\(name)\" is not on the class list\(other)")
      }
    }
  }
}
