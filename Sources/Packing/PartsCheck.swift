import Files
import Records

/// Whether files of records are the parts of one, all of them, in their order and packed alike: as far as their names,
/// their ids, the list beside them and their images show it.
///
/// - Names as `pack` gives them (`x.part000.rec`) count from 0 without a gap. Where their list is there (`x.lst`), the
///   records follow its lines.
/// - Without the list, ids that rise in each part rise over all of them, and no stretch of ids is missing between two
///   parts. All ids together, which may be shuffled, count from 0 with few missing.
/// - Records may be missing, for images that could not be used: what is half as many as a part has is a part.
/// - All records have the same number of labels; JPEG and PNG are not divided by parts.
struct PartsCheck {
  private struct Part {
    let path: String
    var recordCount = 0
    /// Lines of the list, from 0; ids where there is no list.
    var first = 0
    var last = 0
    var largest = 0
    var rises = true
    var kind = Shared<String>.none
    var labelCount = Shared<Int>.none
  }

  /// What records have in common.
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
  /// The line of each id, from 0; nil where no list is at hand.
  private let lines: [UInt64: Int]?
  private let list: String

  /// - Throws: `.parts` for names of which one is missing, twice there or in another's place; `FileError`.
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
            : "part \(expected) of \(stem) is missing; given are \(numbers.sorted().map { "\($0)" }.joined(separator: ", "))"
        ))
    }
    for (place, number) in numbers.enumerated() where place != number {
      throw PackingError(
        .parts("\(paths[place]): this is part \(number), given where part \(place) should stand"))
    }
    lines = FileStamp(path: list) == nil ? nil : try Self.lines(of: list)
  }

  /// "x" and 12 of "x.part012.rec".
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

  /// - Parameter image: the image file of the record.
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

  /// - Throws: `.parts`.
  func finish() throws(PackingError) {
    let used = parts.filter { $0.recordCount > 0 }
    guard let first = used.first else { return }
    try checkAlike(used)
    let averageCount = used.reduce(0) { $0 + $1.recordCount } / used.count
    let isPart: (Int) -> Bool = { $0 >= 2 && $0 >= averageCount - $0 }
    if let lines {
      if let strayID { throw PackingError(.parts("the id \(strayID) does not stand in \(list)")) }
      if let other = used.first(where: { !$0.rises }) {
        throw PackingError(.parts("\(other.path): its records do not follow the lines of \(list)"))
      }
      try checkOrder(used, of: "lines", isPart)
      let (head, tail) = (first.first, lines.count - 1 - (used.last?.last ?? 0))
      for (count, place) in [(head, "first"), (tail, "last")] where isPart(count) {
        throw PackingError(
          .parts("the \(place) \(count) lines of \(list) have no record: is a part missing?"))
      }
    } else if used.count > 1 {
      if used.allSatisfy(\.rises) { try checkOrder(used, of: "ids", isPart) }
      let count = used.reduce(0) { $0 + $1.recordCount }
      let largest = used.map(\.largest).max() ?? 0
      let missing = largest - (count - 1)
      // More than a few of a hundred images are seldom unusable.
      if isPart(missing) && missing >= count / 20 {
        throw PackingError(
          .parts("\(missing) of the ids from 0 to \(largest) have no record: is a part missing?"))
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
            "\(next.path) belongs before \(former.path): its \(what) begin at \(next.first), those end at \(former.last)"
          ))
      }
      let missing = next.first - former.last - 1
      if isPart(missing) {
        throw PackingError(
          .parts(
            "\(missing) \(what) between \(former.path) and \(next.path) have no record, from \(former.last + 1) to "
              + "\(next.first - 1): is a part missing?"))
      }
    }
  }

  private func checkAlike(_ parts: [Part]) throws(PackingError) {
    for other in parts.dropFirst() {
      if case (.one(let kind), .one(let otherKind)) = (parts[0].kind, other.kind), kind != otherKind {
        throw PackingError(
          .parts(
            "each record of \(parts[0].path) is \(kind), each of \(other.path) \(otherKind): they were packed with other options"
          ))
      }
      if case (.one(let count), .one(let otherCount)) = (parts[0].labelCount, other.labelCount),
        count != otherCount
      {
        throw PackingError(
          .parts(
            "the records of \(parts[0].path) have \(max(1, count)) labels, those of \(other.path) \(max(1, otherCount)): they were "
              + "packed with other options"))
      }
    }
  }
}
