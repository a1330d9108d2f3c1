import Files
import Records

/// Where the images of predictions can be read: a folder, or a file of records.
public struct ImageSource: Sendable {
  enum Place: Sendable {
    /// Paths are relative to this folder; an absolute one stands for itself.
    case folder(String)
    /// A `.rec` file, and where the record of each path begins.
    case records(String, offsets: [[UInt8]: Int])
  }
  let place: Place

  /// - Parameter folder: the folder in which the paths of predictions are relative.
  public init(folder: String) { place = .folder(folder) }

  /// The images of a `.rec` file.
  ///
  /// A path is found by its line in the `.lst` file of the same name, where there is one, else a path that is a number
  /// is the id of its record. Offsets come from the `.idx` file of the same name; without one, all records are read.
  /// - Throws: `RecordError`, `FileError` where the files that are there cannot be read.
  public init(records path: String) throws {
    let stem = splitExtension(path).stem
    let index =
      FileStamp(path: stem + ".idx") != nil ? try RecordIndex(path: stem + ".idx").entries : try scan(path)
    // Of ids that repeat the first counts, as everywhere.
    let offsetOfID = Dictionary(index.map { ($0.key, $0.offset) }) { first, _ in first }
    var offsets: [[UInt8]: Int] = [:]
    for (id, offset) in offsetOfID { offsets[Array("\(id)".utf8)] = offset }
    if FileStamp(path: stem + ".lst") != nil {
      var list = try ListReader(stem + ".lst")
      while let line = try list.next() {
        guard case .entry(let entry, _) = line, let offset = offsetOfID[entry.id] else { continue }
        offsets[Array(entry.strippedPath.utf8)] = offset
      }
    }
    place = .records(path, offsets: offsets)
  }
}

/// The places of all records that can be read.
private func scan(_ path: String) throws(RecordError) -> [RecordIndex.Entry] {
  var entries: [RecordIndex.Entry] = []
  var reader = try RecordReader(path)
  while true {
    do throws(RecordError) {
      guard let record = try reader.next() else { return entries }
      guard let header = try? record.parse().header else { continue }
      entries.append(RecordIndex.Entry(key: header.id, offset: record.offset))
    } catch {
      if case .file = error.reason { throw error }
      if try reader.resynchronise() == nil { return entries }
    }
  }
}
