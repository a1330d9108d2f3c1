/// A reader of RFC 4180, as strict as that: line ends are CRLF, a quote stands in a quoted cell only, all rows have as
/// many cells as the first.
struct CSVParser {
  enum Fault: Error { case bareQuote, bareLineEnd, openQuote, textBehindQuote, unevenRows }

  static func rows(_ bytes: [UInt8]) throws(Fault) -> [[String]] {
    var rows: [[String]] = []
    var row: [String] = []
    var cell: [UInt8] = []
    var index = 0
    func byte(_ place: Int) -> UInt8? { place < bytes.count ? bytes[place] : nil }
    while index < bytes.count {
      cell = []
      if bytes[index] == UInt8(ascii: "\"") {
        index += 1
        while true {
          guard let next = byte(index) else { throw .openQuote }
          index += 1
          if next != UInt8(ascii: "\"") {
            cell.append(next)
          } else if byte(index) == UInt8(ascii: "\"") {
            cell.append(next)
            index += 1
          } else {
            break
          }
        }
      } else {
        while let next = byte(index), next != UInt8(ascii: ","), next != UInt8(ascii: "\r") {
          if next == UInt8(ascii: "\"") { throw .bareQuote }
          if next == UInt8(ascii: "\n") { throw .bareLineEnd }
          cell.append(next)
          index += 1
        }
      }
      row.append(String(decoding: cell, as: UTF8.self))
      switch byte(index) {
      case UInt8(ascii: ","):
        index += 1
        if index == bytes.count { throw .bareLineEnd }
      case UInt8(ascii: "\r"):
        guard byte(index + 1) == UInt8(ascii: "\n") else { throw .bareLineEnd }
        index += 2
        rows.append(row)
        row = []
      default: throw .textBehindQuote
      }
    }
    guard row.isEmpty, rows.allSatisfy({ $0.count == rows[0].count }) else { throw .unevenRows }
    return rows
  }
}
