import Files

/// One file of a folder of tables.
struct CSVTable {
  let name: String
  let columns: [String]
  let rows: (inout CSVWriter) throws(FileError) -> Void

  /// Writes all tables, and only then gives them their names, so that a folder does not get some of them.
  static func write(_ tables: some Collection<CSVTable>, to folder: String) throws(FileError) {
    try makeFolder(folder)
    try write(ArraySlice(Array(tables)), below: folder)
  }

  private static func write(_ tables: ArraySlice<CSVTable>, below folder: String) throws(FileError) {
    guard let table = tables.first else { return }
    var writer = try CSVWriter(join(folder, table.name + ".csv"), columns: table.columns)
    do throws(FileError) {
      try table.rows(&writer)
      try write(tables.dropFirst(), below: folder)
    } catch {
      writer.discard()
      throw error
    }
    try writer.publish()
  }
}

extension CSVWriter {
  /// A class: its label and its name.
  mutating func add(_ label: Int, named name: String) {
    add(label)
    add(text: name)
  }
}
