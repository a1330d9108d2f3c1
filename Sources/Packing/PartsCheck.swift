import Files
import Records

/// Checks whether `.rec` files are all parts of one list, in the right order and packed with the same options. The
/// evidence is their names, their ids, the list beside them, and the formats of their images.
///
/// - Names as `pack` chooses them (`x.part000.rec`) must count from 0 without a gap. If the list `x.lst` exists, the
///   records must follow the order of its lines.
/// - Without the list: if the ids ascend within each part, they must ascend across the parts, and no long range of
///   ids may be missing between two parts. The ids of all parts, which may be shuffled, must count from 0 with few
///   missing.
/// - Some records may be missing, because unusable images were skipped. A gap of at least half the size of an average
///   part counts as a missing part.
/// - All parts must have the same number of labels, and must not consist of JPEG in one part and PNG in another.
struct PartsCheck {
  private struct Part {
    let path: String
    var recordCount = 0
    /// Positions of the first, the last and the furthest record: lines of the list, from 0, or ids without a list.
    var first = 0
    var last = 0
    var largest = 0
    var rises = true
    var kind = Shared<String>.none
    var labelCount = Shared<Int>.none
  }

  /// A value that all records of a part have in common, if they do.
  private enum Shared<Value: Equatable> {
    case none
    case one(Value)
    case several

    mutating func add(_ value: Value) {
      switch self {
      case .none: self = .one(value)
      case .one(let former) where former != value: self = .several
      case .one, .several: break
      }
    }
  }

  private var parts: [Part] = []
  private var strayID: UInt64?
  /// The line of each id, from 0; nil if the list is not available.
  private let lines: [UInt64: Int]?
  private let list: String

  /// - Throws: `PackingError` with `.parts` if, by the names, a part is missing, repeated or out of order;
  ///   `FileError` if the list cannot be read.
  init(_ paths: [String]) throws {
    let numbered = paths.compactMap { Self.number(of: $0) }
    let stem = numbered.first?.stem ?? ""
    list = stem + ".lst"
    let areOfOne = numbered.count == paths.count && numbered.allSatisfy { hasSameBytes($0.stem, stem) }
    guard areOfOne, !paths.isEmpty else {
      lines = nil
      return
    }
    let numbers = numbered.map(\.number)
    for (expected, number) in numbers.sorted().enumerated() where expected != number {
      throw PackingError(
        .parts(
          number < expected
            ? "part \(number) of \(stem) is given twice"
            : "part \(expected) of \(stem) is missing; the given parts are "
              + numbers.sorted().map { "\($0)" }.joined(separator: ", ")
        ))
    }
    for (place, number) in numbers.enumerated() where place != number {
      throw PackingError(
        .parts("\(paths[place]): this is part \(number), but part \(place) is expected at this position"))
    }
    lines = FileStamp(path: list) == nil ? nil : try Self.lines(of: list)
  }

  /// ("x", 12) for "x.part012.rec"; nil for other names.
  private static func number(of path: String) -> (stem: String, number: Int)? {
    let (stem, suffix) = splitExtension(splitExtension(path).stem)
    guard suffix.hasBytePrefix(".part"), let number = Int(suffix.dropFirst(5)), number >= 0 else {
      return nil
    }
    return (stem, number)
  }

  private static func lines(of list: String) throws(FileError) -> [UInt64: Int] {
    var lines: [UInt64: Int] = [:]
    var reader = try ListReader(list)
    while let line = try reader.next() {
      if case .entry(let entry, _) = line, lines[entry.id] == nil { lines[entry.id] = lines.count }
    }
    return lines
  }

  mutating func begin(_ path: String) { parts.append(Part(path: path)) }

  /// Takes a record of the current part into account.
  ///
  /// - Parameter image: the bytes of the record's image file.
  mutating func see(_ header: ImageHeader, image: Span<UInt8>) {
    guard let index = parts.indices.last, !image.isEmpty else { return }
    guard let place = lines.map({ $0[header.id] }) ?? Int(exactly: header.id) else {
      strayID = strayID ?? header.id
      return
    }
    if parts[index].recordCount == 0 { parts[index].first = place }
    if parts[index].recordCount > 0 && place <= parts[index].last { parts[index].rises = false }
    parts[index].last = place
    parts[index].largest = max(place, parts[index].largest)
    parts[index].recordCount += 1
    parts[index].kind.add(fileKind(image) ?? "an unknown image")
    parts[index].labelCount.add(header.labels.count)
  }

  /// - Throws: `.parts` for the first contradiction.
  func finish() throws(PackingError) {
    let used = parts.filter { $0.recordCount > 0 }
    guard let first = used.first else { return }
    try checkAlike(used)
    let averageCount = used.reduce(0) { $0 + $1.recordCount } / used.count
    let isPart: (Int) -> Bool = { $0 >= 2 && $0 >= averageCount - $0 }
    if let lines {
      if let strayID { throw PackingError(.parts("the id \(strayID) does not occur in \(list)")) }
      if let other = used.first(where: { !$0.rises }) {
        throw PackingError(.parts("\(other.path): its records do not follow the lines of \(list)"))
      }
      try checkOrder(used, of: "lines", isPart)
      let (head, tail) = (first.first, lines.count - 1 - (used.last?.last ?? 0))
      for (count, place) in [(head, "first"), (tail, "last")] where isPart(count) {
        throw PackingError(
          .parts("the \(place) \(count) lines of \(list) have no records: is a part missing?"))
      }
    } else if used.count > 1 {
      if used.allSatisfy(\.rises) { try checkOrder(used, of: "ids", isPart) }
      let count = used.reduce(0) { $0 + $1.recordCount }
      let largest = used.map(\.largest).max() ?? 0
      let missing = largest - (count - 1)
      // It is rare that more than 5 % of the images are unusable.
      if isPart(missing) && missing >= count / 20 {
        throw PackingError(
          .parts("\(missing) of the ids from 0 to \(largest) have no records: is a part missing?"))
      }
    }
  }

  private func checkOrder(
    _ parts: [Part], of what: String, _ isPart: (Int) -> Bool
  ) throws(PackingError) {
    for (former, next) in zip(parts, parts.dropFirst()) {
      guard next.first > former.last else {
        throw PackingError(
          .parts(
            "\(next.path) belongs before \(former.path): its \(what) start at \(next.first), but the other's end at \(former.last)"
          ))
      }
      let missing = next.first - former.last - 1
      if isPart(missing) {
        throw PackingError(
          .parts(
            "\(missing) \(what) between \(former.path) and \(next.path) have no records, from \(former.last + 1) to "
              + "\(next.first - 1): is a part missing?"))
      }
    }
  }

  private func checkAlike(_ parts: [Part]) throws(PackingError) {
    for other in parts.dropFirst() {
      if case (.one(let kind), .one(let otherKind)) = (parts[0].kind, other.kind), kind != otherKind {
        throw PackingError(
          .parts(
            "each record of \(parts[0].path) holds \(kind), each of \(other.path) \(otherKind): the files were packed with "
              + "different options"
          ))
      }
      if case (.one(let count), .one(let otherCount)) = (parts[0].labelCount, other.labelCount),
        count != otherCount
      {
        throw PackingError(
          .parts(
            "the records of \(parts[0].path) have \(max(1, count)) labels, those of \(other.path) \(max(1, otherCount)): the "
              + "files were packed with different options"))
      }
    }
  }
}
