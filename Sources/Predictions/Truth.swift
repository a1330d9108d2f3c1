import Files
import Records

/// The images of a run and their true classes.
///
/// Memory: about 12 bytes an image, and its path.
public struct Truth: Sendable {
  /// An input that was listed but cannot be judged.
  public struct Rejection: Hashable, Sendable {
    /// The path; where there is none, the place: `val.lst line 12`.
    public let path: String
    public let reason: String
  }

  /// A further column of a table: one value an input, by which accuracy can be cut into slices.
  public struct Column: Hashable, Sendable {
    public let name: String
    public let values: [String]
  }

  /// Where the labels come from.
  enum Kind: Hashable, Sendable { case list, records, folders, table, lines }

  var paths = ByteStrings()
  /// Of each path.
  var labels: [Int32] = []
  /// Of each path, where the format has ids.
  var ids: [UInt64] = []
  /// Paths of images that are known but cannot be judged: their outputs belong to them, and to no other image.
  var rejectedPaths = ByteStrings()
  /// Of each rejected path, where the format has ids.
  var rejectedIDs: [UInt64] = []
  public internal(set) var rejections: [Rejection] = []
  public internal(set) var columns: [Column] = []
  /// Files that look like images and are none of the truth, a sentence for each kind: of a folder, its `.webp` files.
  public internal(set) var passedOver: [String] = []
  /// The class list that was given, or that the truth has itself: its folders, or its names, sorted.
  public internal(set) var classes: ClassList?
  let kind: Kind
  /// A first row of a table that may be an image or the names of the columns.
  var undecided: Undecided?

  struct Undecided: Sendable {
    let path: [UInt8]
    /// What to say if no output belongs to such an image.
    let error: TruthError
  }

  init(_ kind: Kind, classes: ClassList?) {
    self.kind = kind
    self.classes = classes
  }

  /// Images that can be judged: each has a path and a label.
  public var count: Int { labels.count }

  /// Reads the truth.
  ///
  /// - Parameters:
  ///   - path: a `.lst` file; a `.rec` file, whose images are named by their ids; a folder of class folders; a table
  ///     (`.csv`, `.tsv`) with a path and a label, a header or none; JSON lines. The ending says which it is, else
  ///     the first bytes.
  ///   - classes: the names in label order; `nil` to take folders or class names sorted by code point, or numbers.
  ///   - columns: of a table or of JSON lines.
  /// - Throws: where it cannot be read as a whole. An image without a usable label is in `rejections`.
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

  public func path(_ entry: Int) -> String { paths.text(entry) }

  public func label(_ entry: Int) -> Int { Int(labels[entry]) }

  /// Whether images have no other name than their id, as those of a `.rec`.
  public var isNamedByID: Bool { kind == .records }

  /// The largest label there is.
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

  /// Adds an image that cannot be judged.
  mutating func reject(_ path: some Collection<UInt8>, _ reason: String, id: UInt64? = nil) {
    rejections.append(Rejection(path: shown(path), reason: reason))
    setAside(path, id: id)
  }

  /// The label, if there is such a class.
  func checked(_ label: Int) -> Int32? {
    (0..<(classes?.count ?? PredictionParser.largestLabel + 1)).contains(label) ? Int32(label) : nil
  }

  static let tooLarge = "the paths have more than 4 GB together"

  var expectedLabels: String {
    "a whole number from 0 to \((classes?.count ?? PredictionParser.largestLabel + 1) - 1)"
  }

  private static func text(_ label: Double) -> String { Int(exactly: label).map { "\($0)" } ?? "\(label)" }

  /// Counts a path that stands twice once; not at all where the labels differ or one cannot be used, for which is right
  /// nobody knows.
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
        let reason = "it stands twice in the truth, once with a label that cannot be used"
        rejections.append(Rejection(path: path(entry), reason: reason))
        continue
      }
      guard let first = paths.withBytes(entry, { index.first($0, in: paths) }), first != entry else {
        continue
      }
      isKept[entry] = false
      if labels[entry] == labels[first] {
        rejections.append(Rejection(path: path(entry), reason: "it stands twice in the truth"))
        continue
      }
      let reason = "it stands twice in the truth, with label \(labels[first]) and with label \(labels[entry])"
      if isKept[first] {
        rejections.append(Rejection(path: path(first), reason: reason))
        setAside(first)
      }
      isKept[first] = false
      rejections.append(Rejection(path: path(entry), reason: reason))
    }
    if isKept.contains(false) { keep(isKept) }
  }

  /// Keeps each path of the images that cannot be judged once.
  private mutating func forgetRepeatedRejections() {
    let (paths, ids) = (rejectedPaths, rejectedIDs)
    let index = NameIndex(paths) { paths.range($0) }
    guard index.hasRepeats else { return }
    (rejectedPaths, rejectedIDs) = (ByteStrings(), [])
    for place in 0..<paths.count where paths.withBytes(place, { index.first($0, in: paths) }) == place {
      setAside(paths[place], id: ids.isEmpty ? nil : ids[place])
    }
  }

  /// Remembers an image that is left out, so that its output is not taken for another's.
  private mutating func setAside(_ path: some Collection<UInt8>, id: UInt64?) {
    guard rejectedPaths.append(path), let id else { return }
    rejectedIDs.append(id)
  }

  mutating func setAside(_ entry: Int) { setAside(paths[entry], id: ids.isEmpty ? nil : ids[entry]) }

  /// Leaves the others out.
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
  public var image: String?
  public var label: String?

  public init(image: String? = nil, label: String? = nil) {
    self.image = image
    self.label = label
  }
}

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

/// Labels as a text has them, numbers or names, until it is known which they are.
struct NamedLabels {
  private let classes: ClassList?
  /// By number of first appearance.
  private var texts: [[UInt8]] = []
  private var numbers: [[UInt8]: Int32] = [:]

  init(_ classes: ClassList?) { self.classes = classes }

  /// A number that stands for the text until `resolve`.
  mutating func add(_ text: [UInt8]) -> Int32 {
    if let number = numbers[text] { return number }
    let number = Int32(truncatingIfNeeded: texts.count)
    texts.append(text)
    numbers[text] = number
    return number
  }

  /// The label of each text, by its number, `nil` where there is no such class; and the class list, if there is one.
  ///
  /// A name of the class list goes first. Else whole numbers are labels; texts of which one is no number are names,
  /// and their list, where none was given, is all of them sorted by code point.
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

  func text(_ number: Int32) -> String { shown(texts[Int(number)].prefix(200)) }

  /// The whole number that a text is, "3" or "3.0".
  private func label(_ text: [UInt8]) -> Int? {
    if let whole = wholeNumber(text) { return whole }
    var scanner = JSONScanner()
    guard let value = try? scanner.number(text.span), scanner.cursor == text.count, value >= 0 else {
      return nil
    }
    return Int(exactly: value)
  }
}
