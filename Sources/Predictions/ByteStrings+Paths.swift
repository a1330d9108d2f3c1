/// The strings as paths; places count in the memory of all strings.
extension ByteStrings {
  /// Bytes of the folders that all paths begin with, the last slash included.
  var commonFolderByteCount: Int {
    guard count > 0 else { return 0 }
    let first = self[0]
    var common = (first.lastIndex(of: UInt8(ascii: "/")) ?? first.startIndex - 1) + 1 - first.startIndex
    for index in 1..<max(count, 1) where common > 0 {
      let path = self[index]
      var same = zip(first.prefix(common), path).prefix { $0 == $1 }.count
      while same > 0, first[first.startIndex + same - 1] != UInt8(ascii: "/") { same -= 1 }
      common = same
    }
    return common
  }

  /// The part of a path behind its last slash.
  func fileName(_ path: Range<Int>) -> Range<Int> {
    var start = path.upperBound
    while start > path.lowerBound, byte(at: start - 1) != UInt8(ascii: "/") { start -= 1 }
    return start..<path.upperBound
  }

  /// A path without the suffix of its file name; `nil` where there is none. A dot in front is no suffix.
  func stem(_ path: Range<Int>) -> Range<Int>? {
    let name = fileName(path)
    var dot = name.upperBound - 1
    while dot > name.lowerBound, byte(at: dot) != UInt8(ascii: ".") { dot -= 1 }
    return dot > name.lowerBound ? path.lowerBound..<dot : nil
  }

  func hasFolder(_ index: Int) -> Bool { self[index].contains(UInt8(ascii: "/")) }
}
