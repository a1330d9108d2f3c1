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
