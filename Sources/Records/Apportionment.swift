/// Whole numbers of images for each class and bin, as near as possible to exact shares.
///
/// Row sums are `counts`. Each cell is its exact value rounded up or down, and so is each column sum, where exact is
/// `count * share`, after one image for each of the first `required` bins is set aside in the classes whose exact
/// value for it is below one and which have `required` images.
/// - Parameter shares: above 0, together 1.
func apportion(_ counts: [Int], shares: [Double], required: Int) -> [[Int]] {
  var table = Apportionment(binCount: shares.count)
  for count in counts { table.add(count, shares, required: required) }
  table.balance()
  return table.cells
}

private struct Apportionment {
  var cells: [[Int]] = []
  /// Whether a cell's exact value lies between two whole numbers, and whether it was rounded up.
  private var isFractional: [[Bool]] = []
  private var isUp: [[Bool]] = []
  private var exactTotals: [Double]
  private var totals: [Int]

  init(binCount: Int) {
    exactTotals = [Double](repeating: 0, count: binCount)
    totals = [Int](repeating: 0, count: binCount)
  }

  /// Rounds one class: down, then up where its bin is furthest behind.
  mutating func add(_ count: Int, _ shares: [Double], required: Int) {
    let exact = exactCells(count, shares, required: required)
    // A sum like 0.1 * 30 may be a hair beside the whole number it means.
    var row = exact.map { value in
      let nearest = value.rounded()
      return Int((value - nearest).magnitude < 1e-6 ? nearest : value.rounded(.down))
    }
    let fractional = exact.indices.map { (exact[$0] - Double(row[$0])).magnitude >= 1e-6 }
    var up = [Bool](repeating: false, count: exact.count)
    for bin in exact.indices { exactTotals[bin] += exact[bin] }
    let surplus = count - row.reduce(0, +)
    let behind = exact.indices.filter { fractional[$0] }.sorted {
      exactTotals[$0] - Double(totals[$0] + row[$0]) > exactTotals[$1] - Double(totals[$1] + row[$1])
    }
    for bin in behind.prefix(max(0, surplus)) {
      up[bin] = true
      row[bin] += 1
    }
    for bin in row.indices { totals[bin] += row[bin] }
    cells.append(row)
    isFractional.append(fractional)
    isUp.append(up)
  }

  private func exactCells(_ count: Int, _ shares: [Double], required: Int) -> [Double] {
    var exact = shares.map { Double(count) * $0 }
    guard count >= required else { return exact }
    var open = Set(shares.indices)
    var left = Double(count)
    var leftShare = 1.0
    while let small = open.sorted().first(where: { $0 < required && left * shares[$0] / leftShare < 1 - 1e-6 }
    ) {
      exact[small] = 1
      open.remove(small)
      left -= 1
      leftShare -= shares[small]
    }
    for bin in open { exact[bin] = left * shares[bin] / leftShare }
    return exact
  }

  /// Moves single images between bins until every total is its exact value rounded up or down. Rounding class by
  /// class nearly always ends there by itself; that it can be reached is the flow theorem on whole numbers.
  mutating func balance() {
    let bins = totals.indices
    while true {
      let lower = bins.map { (exactTotals[$0] + 1e-6).rounded(.down) }
      let upper = bins.map { (exactTotals[$0] - 1e-6).rounded(.up) }
      var path: [Move]?
      if let full = bins.first(where: { Double(totals[$0]) > upper[$0] }) {
        path = moves(from: full) { Double(totals[$0]) < upper[$0] }
      } else if let poor = bins.first(where: { Double(totals[$0]) < lower[$0] }) {
        for rich in bins where path == nil && Double(totals[rich]) > lower[rich] {
          path = moves(from: rich) { $0 == poor }
        }
      } else {
        return
      }
      guard let path, !path.isEmpty else { return }
      for move in path { apply(move) }
    }
  }

  private struct Move {
    let row: Int
    let from: Int
    let to: Int
  }

  /// The shortest chain of moves from one bin to another that is wanted, no class used twice on the way.
  private func moves(from start: Int, to isWanted: (Int) -> Bool) -> [Move]? {
    var reached = [start: [Move]()]
    var queue = [start]
    while !queue.isEmpty {
      let bin = queue.removeFirst()
      let path = reached[bin] ?? []
      for next in totals.indices where reached[next] == nil {
        let row = cells.indices.first { row in
          isUp[row][bin] && isFractional[row][next] && !isUp[row][next] && !path.contains { $0.row == row }
        }
        guard let row else { continue }
        reached[next] = path + [Move(row: row, from: bin, to: next)]
        if isWanted(next) { return reached[next] }
        queue.append(next)
      }
    }
    return nil
  }

  private mutating func apply(_ move: Move) {
    isUp[move.row][move.from] = false
    isUp[move.row][move.to] = true
    cells[move.row][move.from] -= 1
    cells[move.row][move.to] += 1
    totals[move.from] -= 1
    totals[move.to] += 1
  }
}
