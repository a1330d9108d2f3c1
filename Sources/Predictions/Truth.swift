import Encodings
public import Files
import Records

/// A file, line or image that does not count, and why.
public struct InputProblem: Hashable, Sendable {
  /// The path or, where there is none, the place: `val.lst line 12`.
  public let path: String
  /// A sentence without the path.
  public let reason: String
}

/// The images of a run and their true classes.
///
/// Memory: about 12 bytes an image, and its path.
public struct Truth: Sendable {
  /// A further column of a table, by which accuracy can be sliced.
  public struct Column: Hashable, Sendable {
    /// The name in the header.
    public let name: String
    /// One value for each image, in the order of the truth.
    public let values: [String]
  }

  /// Where the labels come from.
  enum Kind: Hashable, Sendable { case list, records, folders, table, lines }

  /// The paths of the usable images.
  var paths = ByteStrings()
  /// The label of each path.
  var labels: [Int32] = []
  /// The id of each path; empty where the format has no ids.
  var ids: [UInt64] = []
  /// The paths of images without a usable label. Their outputs belong to them, and to no other image.
  var rejectedPaths = ByteStrings()
  /// The id of each rejected path; empty where the format has no ids.
  var rejectedIDs: [UInt64] = []
  /// Entries of the truth that cannot be used.
  public internal(set) var rejections: [InputProblem] = []
  /// The columns of a table that hold neither path nor label; empty for other formats.
  public internal(set) var columns: [Column] = []
  /// Files in the folders that look like images but are of formats that are not read, a sentence for each format.
  public internal(set) var passedOver: [String] = []
  /// The class list that was given, or that the truth has itself: its folders, or its class names, sorted. `nil` where
  /// classes have only labels.
  public internal(set) var classes: ClassList?
  let kind: Kind
  /// The first row of a table, where it may be an image or the names of the columns.
  var undecided: Undecided?

  struct Undecided: Sendable {
    let path: [UInt8]
    /// What to throw if no output belongs to an image of this path.
    let error: TruthError
  }

  init(_ kind: Kind, classes: ClassList?) {
    self.kind = kind
    self.classes = classes
  }

  /// The number of usable images; each has a path and a label.
  public var count: Int { labels.count }

  /// Reads the truth.
  ///
  /// - Parameters:
  ///   - path: a `.lst` file; a `.rec` file, whose images are named by their ids; a folder of class folders; a table
  ///     (`.csv`, `.tsv`) of paths and labels, with or without a header; JSON lines or one JSON array. The suffix
  ///     decides, else the first bytes.
  ///   - classes: the names in label order; `nil` to take the folders or class names sorted by code point, else labels.
  ///   - columns: which columns or keys to read, where the truth is a table or JSON lines.
  /// - Throws: where the truth cannot be read as a whole; `.noColumns` where columns are given and the format has none.
  ///   An image without a usable label is *not* an error: it is in `rejections`.
  /// - Complexity: one pass over the file or the folders; a table is held in memory as a whole.
  public init(_ path: String, classes: ClassList? = nil, columns: TruthColumns = TruthColumns())
    throws(TruthError)
  {
    let format = try TruthFormat(of: path)
    switch format {
    case .list: self = try Truth(list: path, classes: classes)
    case .records: self = try Truth(records: path, classes: classes)
    case .folders: self = try Truth(folders: path, classes: classes)
    case .table: self = try Truth(table: path, classes: classes, columns: columns)
    case .lines: self = try Truth(lines: path, classes: classes, columns: columns)
    }
    guard columns == TruthColumns() || format == .table || format == .lines else {
      throw TruthError(.noColumns, path: path)
    }
    rejectRepeated()
  }

  /// The path of image `entry`, 0..<count, as text: bytes beyond ASCII become `\xNN` if it is not UTF-8.
  public func path(_ entry: Int) -> String { paths.text(entry) }

  /// The true label of image `entry`, 0..<count. It may be beyond the classes that the outputs have.
  public func label(_ entry: Int) -> Int { Int(labels[entry]) }

  /// The label of each image by its path, and by its ID where the format has IDs and no path is that number.
  public func labelsByName() -> [ByteName: Int] {
    var found: [ByteName: Int] = [:]
    for (id, label) in zip(ids, labels) { found[ByteName("\(id)")] = Int(label) }
    for entry in 0..<count { found[ByteName(path(entry))] = label(entry) }
    return found
  }

  /// Whether images have no name but their id, as those of a `.rec`.
  public var isNamedByID: Bool { kind == .records }

  /// The largest label; `nil` where there is no image.
  var largestLabel: Int? { labels.max().map { Int($0) } }

  /// Adds an image whose label is a number.
  mutating func add(_ path: some Collection<UInt8>, label: Double, id: UInt64? = nil, source: String)
    throws(TruthError)
  {
    guard let whole = Int(exactly: label), let label = checked(whole) else {
      reject(path, "label \(Self.text(label)) is unknown; \(expectedLabels) is expected", id: id)
      return
    }
    try add(path, label, id, source)
  }

  mutating func add(_ path: some Collection<UInt8>, _ label: Int32, _ id: UInt64?, _ source: String)
    throws(TruthError)
  {
    guard paths.append(path) else { throw TruthError(.tooLarge, path: source) }
    labels.append(label)
    if let id { ids.append(id) }
  }

  /// Adds an image without a usable label.
  mutating func reject(_ path: some Collection<UInt8>, _ reason: String, id: UInt64? = nil) {
    rejections.append(InputProblem(path: nameText(path), reason: reason))
    setAside(path, id: id)
  }

  /// The label, if there is a class for it.
  func checked(_ label: Int) -> Int32? {
    (0..<(classes?.count ?? PredictionParser.largestLabel + 1)).contains(label) ? Int32(label) : nil
  }

  static let tooLarge = "the paths have more than 4 GB in total"

  var expectedLabels: String {
    "a whole number from 0 to \((classes?.count ?? PredictionParser.largestLabel + 1) - 1)"
  }

  private static func text(_ label: Double) -> String { Int(exactly: label).map { "\($0)" } ?? "\(label)" }

  /// Keeps one entry of a path that occurs more than once; none where the labels differ or one is unusable, because it
  /// is unknown which is right.
  private mutating func rejectRepeated() {
    forgetRepeatedRejections()
    let (paths, rejectedPaths) = (paths, rejectedPaths)
    let index = NameIndex(paths) { paths.range($0) }
    let rejected = NameIndex(rejectedPaths) { rejectedPaths.range($0) }
    guard index.hasRepeats || rejectedPaths.count > 0 else { return }
    var isKept = [Bool](repeating: true, count: count)
    for entry in 0..<count {
      if paths.withBytes(entry, { rejected.first($0, in: rejectedPaths) }) != nil {
        isKept[entry] = false
        let reason = "it is in the truth twice, once with a label that cannot be used"
        rejections.append(InputProblem(path: path(entry), reason: reason))
        continue
      }
      guard let first = paths.withBytes(entry, { index.first($0, in: paths) }), first != entry else {
        continue
      }
      isKept[entry] = false
      if labels[entry] == labels[first] {
        rejections.append(InputProblem(path: path(entry), reason: "it is in the truth twice"))
        continue
      }
      let reason = "it is in the truth twice, with label \(labels[first]) and with label \(labels[entry])"
      if isKept[first] {
        rejections.append(InputProblem(path: path(first), reason: reason))
        setAside(first)
      }
      isKept[first] = false
      rejections.append(InputProblem(path: path(entry), reason: reason))
    }
    if isKept.contains(false) { keep(isKept) }
  }

  /// Keeps one entry of each rejected path.
  private mutating func forgetRepeatedRejections() {
    let (paths, ids) = (rejectedPaths, rejectedIDs)
    let index = NameIndex(paths) { paths.range($0) }
    guard index.hasRepeats else { return }
    (rejectedPaths, rejectedIDs) = (ByteStrings(), [])
    for place in 0..<paths.count where paths.withBytes(place, { index.first($0, in: paths) }) == place {
      setAside(paths[place], id: ids.isEmpty ? nil : ids[place])
    }
  }

  /// Remembers an image that is left out, so that its output is not matched to another image.
  private mutating func setAside(_ path: some Collection<UInt8>, id: UInt64?) {
    guard rejectedPaths.append(path), let id else { return }
    rejectedIDs.append(id)
  }

  mutating func setAside(_ entry: Int) { setAside(paths[entry], id: ids.isEmpty ? nil : ids[entry]) }

  /// Removes the images whose flag is `false`.
  mutating func keep(_ isKept: [Bool]) {
    var kept = Truth(kind, classes: classes)
    kept.undecided = undecided
    kept.rejections = rejections
    (kept.rejectedPaths, kept.rejectedIDs) = (rejectedPaths, rejectedIDs)
    for entry in 0..<count {
      guard isKept[entry] else { continue }
      kept.paths.append(paths[entry])
      kept.labels.append(labels[entry])
      if !ids.isEmpty { kept.ids.append(ids[entry]) }
    }
    kept.columns = columns.map { column in
      Column(name: column.name, values: column.values.indices.filter { isKept[$0] }.map { column.values[$0] })
    }
    self = kept
  }
}

/// Which columns of a table, or keys of JSON lines, hold the image and the label; `nil` to find them by known names.
public struct TruthColumns: Hashable, Sendable {
  /// The column with the path of the image.
  public var image: String?
  /// The column with the label or class name.
  public var label: String?

  public init(image: String? = nil, label: String? = nil) {
    self.image = image
    self.label = label
  }
}

extension Truth {
  /// Reads a `.lst` file; each line must have one label, a whole number.
  /// - Throws: `.file`; `.tooLarge`.
  init(list path: String, classes: ClassList?) throws(TruthError) {
    self.init(.list, classes: classes)
    var reader = try readingTruth(path) { () throws(FileError) in try ListReader(path) }
    while let line = try readingTruth(path, { () throws(FileError) in try reader.next() }) {
      switch line {
      case .bad(let reason, let number, _):
        rejections.append(InputProblem(path: "\(baseName(path)) line \(number)", reason: reason))
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

  /// Reads the labels of a `.rec` file, whose images are named by their ids. A damaged record is rejected, and reading
  /// goes on at the next one.
  /// - Throws: `.records` where the file cannot be read.
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
          rejections.append(InputProblem(path: "\(baseName(path)) byte \(offset)", reason: error.sentence))
          if reader.offset == offset, try reader.resynchronise() == nil { break }
        }
      }
    } catch {
      throw TruthError(.records(error), path: path)
    }
  }

  private mutating func add(_ record: Record) throws(RecordError) {
    let (header, imageStart) = try record.parse()
    // Records with labels but no image, as InsightFace's data sets have, are not inputs.
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

  /// Reads a folder of class folders.
  /// - Throws: `.scan`; `.repeatedClass`; `.tooLarge`.
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
        let other = self.classes?.lookalike(of: name).map { "; did you mean \"\($0)\"?" } ?? ""
        reject(bytes, "its folder \"\(name)\" is not on the class list\(other)")
      }
    }
  }
}

/// The labels of a table or of JSON lines as they are written, until it is known whether they are numbers or names.
struct NamedLabels {
  private let classes: ClassList?
  /// The distinct texts, in the order of their first occurrence.
  private var texts: [[UInt8]] = []
  /// The index of each text in `texts`.
  private var numbers: [[UInt8]: Int32] = [:]

  init(_ classes: ClassList?) { self.classes = classes }

  /// The number that stands for the text until `resolve`.
  mutating func add(_ text: [UInt8]) -> Int32 {
    if let number = numbers[text] { return number }
    let number = Int32(truncatingIfNeeded: texts.count)
    texts.append(text)
    numbers[text] = number
    return number
  }

  /// The label of each text, by its number, `nil` where there is no such class; and the class list, if there is one.
  ///
  /// With a class list, a text is a name on it, else a label. Without one, all texts are labels if all are whole
  /// numbers; else all are class names, and the class list is all of them, sorted by code point.
  func resolve() throws(TruthError) -> (labels: [Int32?], classes: ClassList?) {
    var classes = classes
    if classes == nil && !texts.allSatisfy({ label($0) != nil }) {
      let names = texts.filter { String(validating: $0, as: UTF8.self) != nil && !$0.isEmpty }
        .sorted { $0.lexicographicallyPrecedes($1) }
      classes = try ClassList(names.map { String(decoding: $0, as: UTF8.self) })
      return (texts.map { text in classes?.label(of: text).map { Int32($0) } }, classes)
    }
    let limit = classes?.count ?? PredictionParser.largestLabel + 1
    let labels = texts.map { text -> Int32? in
      if let label = classes?.label(of: text) { return Int32(label) }
      return label(text).flatMap { $0 < limit ? Int32($0) : nil }
    }
    return (labels, classes)
  }

  /// The text that `number` stands for, cut to 200 bytes.
  func text(_ number: Int32) -> String { nameText(texts[Int(number)].prefix(200)) }

  /// The whole number that a text spells, as "3" or "3.0".
  private func label(_ text: [UInt8]) -> Int? {
    if let whole = wholeNumber(text) { return whole }
    var scanner = JSONScanner()
    guard let value = try? scanner.number(text.span), scanner.cursor == text.count, value >= 0 else {
      return nil
    }
    return Int(exactly: value)
  }
}
