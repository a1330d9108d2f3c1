import Files

extension Truth {
  /// Names of columns that hold the path and the label, the best first; compared without regard to case.
  static let pathColumns = PredictionKeys.names
  static let labelColumns = [
    "label", "truth", "true_label", "class", "class_id", "class_name", "category", "target", "y", "y_true",
    "ground_truth",
  ]

  /// A table of paths and labels; with a header, its further columns become `columns`.
  ///
  /// The first row is a header if it has a known name for both; else the first field of each row is the path and the
  /// second the label.
  init(table path: String, separator: UInt8, classes: ClassList?) throws(TruthError) {
    self.init(.table, classes: classes)
    let bytes = try readingTruth(path) { () throws(FileError) in try readFile(path).bytes }
    var rows = TableReader(bytes, separator: separator)
    do throws(TruthError) {
      try read(&rows, baseName(path))
    } catch {
      throw TruthError(error.reason, path: path)
    }
  }

  private mutating func read(_ rows: inout TableReader, _ file: String) throws(TruthError) {
    guard let first = try rows.next() else { return }
    var names = NamedLabels(classes)
    var (pathColumn, labelColumn) = (0, 1)
    var others: [(name: String, index: Int, values: [String])] = []
    let header = first.map { shown($0).lowercased() }
    let found = (place(Self.pathColumns, in: header), place(Self.labelColumns, in: header))
    if case (let path?, let label?) = found {
      (pathColumn, labelColumn) = (path, label)
      others = header.indices.filter { $0 != path && $0 != label }.map { (shown(first[$0]), $0, []) }
    } else {
      // A row that names one of the two is a header of which the other is missing, not an image.
      if found.0 != nil {
        throw TruthError(.noColumn("label", known: Self.labelColumns, header: header), path: "")
      }
      if found.1 != nil {
        throw TruthError(.noColumn("path", known: Self.pathColumns, header: header), path: "")
      }
      try add(first, pathColumn, labelColumn, &others, &names, "\(file) line \(rows.line)")
    }
    while let row = try rows.next() {
      try add(row, pathColumn, labelColumn, &others, &names, "\(file) line \(rows.line)")
    }
    columns = others.map { Column(name: $0.name, values: $0.values) }
    try resolve(names)
  }

  private mutating func add(
    _ row: [[UInt8]], _ pathColumn: Int, _ labelColumn: Int,
    _ others: inout [(name: String, index: Int, values: [String])],
    _ names: inout NamedLabels, _ place: String
  ) throws(TruthError) {
    guard row.count > max(pathColumn, labelColumn), !row[pathColumn].isEmpty else {
      rejections.append(Rejection(path: place, reason: "a path and a label are expected"))
      return
    }
    try add(row[pathColumn], names.add(row[labelColumn]), nil, "")
    for index in others.indices {
      others[index].values.append(others[index].index < row.count ? shown(row[others[index].index]) : "")
    }
  }

  private func place(_ known: [String], in header: [String]) -> Int? {
    for name in known { if let place = header.firstIndex(of: name) { return place } }
    return nil
  }

  /// Puts the labels in the place of the numbers that stood for their texts.
  mutating func resolve(_ names: NamedLabels) throws(TruthError) {
    let (resolved, classes) = try names.resolve()
    self.classes = classes
    let provisional = labels
    var isKept = [Bool](repeating: true, count: count)
    for entry in 0..<count {
      if let label = resolved[Int(provisional[entry])] {
        labels[entry] = label
      } else {
        isKept[entry] = false
        setAside(entry)
        let text = names.text(provisional[entry])
        rejections.append(
          Rejection(path: path(entry), reason: "label \"\(text)\" is unknown; \(expectedLabels) is expected"))
      }
    }
    if isKept.contains(false) { keep(isKept) }
  }
}
