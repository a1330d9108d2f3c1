/// The bins that a split puts images into, and how many images of each class belong into each.
struct SplitBins {
  /// A list made of one bin or several.
  struct Part {
    let name: String
    let bins: Set<Int>
  }
  let parts: [Part]
  /// `targets[class][bin]`; a row's sum is the class's image count.
  let targets: [[Int]]
  private(set) var warnings: [SplitWarning] = []

  init(_ rule: Split, _ counts: [Int], names: [String]) throws(SplitError) {
    switch rule {
    case .perClass(let wanted, let allowSmall):
      guard wanted >= 1 else { throw SplitError(.badPerClass(wanted)) }
      let small = counts.indices.filter { counts[$0] > 0 && counts[$0] <= wanted }
      guard allowSmall || small.isEmpty else {
        throw SplitError(
          .smallClasses(perClass: wanted, small.map { .init(name: names[$0], imageCount: counts[$0]) }))
      }
      parts = [Part(name: "\(wanted)-train", bins: [0]), Part(name: "\(wanted)-val", bins: [1])]
      targets = counts.map { count in
        let train = max(0, min(wanted, count - 1))
        return [train, count - train]
      }
      warnings = small.map {
        .smallClass(name: names[$0], imageCount: counts[$0], trainCount: counts[$0] - 1)
      }
    case .ratios(let train, let validation, let test):
      let ratios = [train, validation, test]
      // 0.7 + 0.2 + 0.1 is a little less than 1 in binary.
      let missing = 1 - ratios.reduce(0, +)
      guard ratios.allSatisfy({ (0...1).contains($0) }), missing > -1e-9, ratios.contains(where: { $0 > 0 })
      else {
        throw SplitError(.badRatios(train: train, validation: validation, test: test))
      }
      let used = ratios.indices.filter { ratios[$0] > 0 }
      parts = used.enumerated().map { Part(name: ["train", "val", "test"][$1], bins: [$0]) }
      let isComplete = missing < 1e-9
      let shares = used.map { ratios[$0] } + (isComplete ? [] : [missing])
      targets = apportion(counts, shares: shares, required: used.count)
      if !isComplete {
        let leftOut = targets.reduce(0) { $0 + $1[used.count] }
        warnings = [.leftOut(imageCount: leftOut)]
      }
    case .folds(let count):
      guard count >= 2 else { throw SplitError(.badFolds(count)) }
      let all = Set(0..<count)
      parts = (0..<count).flatMap { fold in
        [
          Part(name: "fold\(fold)-train", bins: all.subtracting([fold])),
          Part(name: "fold\(fold)-val", bins: [fold]),
        ]
      }
      // The surplus of a class starts at the fold after the previous class's, so folds differ by at most one image.
      var next = 0
      targets = counts.map { imageCount in
        var row = [Int](repeating: imageCount / count, count: count)
        for _ in 0..<(imageCount % count) {
          row[next] += 1
          next = (next + 1) % count
        }
        return row
      }
    }
  }

  /// The name of the part that consists of this bin alone, for messages.
  func partName(ofBin bin: Int) -> String {
    parts.last { $0.bins == [bin] }?.name ?? "no list"
  }
}

/// Whole numbers of images for each class and bin, as close as possible to the exact shares.
///
/// The sum of each row is the class's count. Each cell, and the sum of each column, is its exact value rounded up or
/// down. The exact value of a cell is `count * share`; but in a class with at least `required` images, each of the
/// first `required` bins whose exact value is below 1 gets one image, and the other bins share the rest.
///
/// - Parameter shares: positive, with the sum 1.
func apportion(_ counts: [Int], shares: [Double], required: Int) -> [[Int]] {
  var table = Apportionment(binCount: shares.count)
  for count in counts { table.add(count, shares, required: required) }
  table.balance()
  return table.cells
}

private struct Apportionment {
  var cells: [[Int]] = []
  /// Whether a cell's exact value is not a whole number.
  private var isFractional: [[Bool]] = []
  /// Whether a cell was rounded up.
  private var isUp: [[Bool]] = []
  private var exactTotals: [Double]
  private var totals: [Int]

  init(binCount: Int) {
    exactTotals = [Double](repeating: 0, count: binCount)
    totals = [Int](repeating: 0, count: binCount)
  }

  /// Rounds the cells of one class: first all down, then up in the bins whose totals are furthest below their exact
  /// values.
  mutating func add(_ count: Int, _ shares: [Double], required: Int) {
    let exact = exactCells(count, shares, required: required)
    // A product such as 0.1 * 30 may differ slightly from the whole number that is meant.
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

  /// Moves single images between bins until every total is its exact value rounded up or down. Rounding class by class
  /// nearly always achieves that already. A solution exists by the integrality theorem for network flows.
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

  /// The shortest chain of moves, each in another class, from one bin to a bin that is wanted.
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

/// Which bin each image of a scan goes to.
struct BinAssignment {
  /// The bin of each image, in the order of the scan's images.
  private(set) var binOfImage: [Int32]
  private(set) var warnings: [SplitWarning] = []

  init(_ scan: FolderScan, _ bins: SplitBins, seed: Int, groups: ImageGroups?) {
    binOfImage = [Int32](repeating: -1, count: scan.images.count)
    // How many images each class still needs in each bin; negative where groups overfilled the bin.
    var wanted = bins.targets
    if let groups { assignGroups(groups, of: scan, &wanted, seed: seed) }
    var imagesOfClass = scan.classes.map { _ in [Int]() }
    for (index, image) in scan.images.enumerated() where binOfImage[index] < 0 {
      imagesOfClass[image.classIndex].append(index)
    }
    for (classIndex, images) in imagesOfClass.enumerated() {
      var images = images
      var generator = keyedGenerator(seed, Array(scan.classes[classIndex].utf8))
      generator.shuffle(&images)
      var bin = 0
      for image in images {
        while bin < wanted[classIndex].count - 1 && wanted[classIndex][bin] <= 0 { bin += 1 }
        binOfImage[image] = Int32(truncatingIfNeeded: bin)
        wanted[classIndex][bin] -= 1
      }
    }
    for (classIndex, row) in wanted.enumerated() {
      for (bin, missing) in row.enumerated() where missing != 0 {
        let target = bins.targets[classIndex][bin]
        warnings.append(
          .groupsChangedCount(
            name: scan.classes[classIndex], part: bins.partName(ofBin: bin), wanted: target,
            got: target - missing))
      }
    }
  }

  private struct Group {
    let name: [UInt8]
    var images: [Int] = []
  }

  /// Assigns the groups of two or more images, the largest first, each to the bin that it overfills least.
  private mutating func assignGroups(
    _ groups: ImageGroups, of scan: FolderScan, _ wanted: inout [[Int]], seed: Int
  ) {
    let (found, alone, example) = membership(groups, scan)
    if alone > 0 { warnings.append(.ungrouped(imageCount: alone, example: example)) }
    let unknown = groups.groupOfPath.count - (scan.images.count - alone)
    if unknown > 0 {
      let known = Set(scan.images.map { Array($0.path.utf8) })
      let first = groups.groupOfPath.keys.filter { !known.contains($0) }.min {
        $0.lexicographicallyPrecedes($1)
      }
      warnings.append(
        .unknownGroupPaths(count: unknown, example: String(decoding: first ?? [], as: UTF8.self)))
    }
    // Groups of equal size are ordered by seed and name alone, so that the groups of other classes do not matter.
    let ordered = found.filter { $0.images.count > 1 }.map { group in
      var generator = keyedGenerator(seed, group.name)
      return (group: group, rank: generator.next())
    }.sorted {
      ($1.group.images.count, $0.rank) < ($0.group.images.count, $1.rank)
    }
    for (group, _) in ordered { place(group, of: scan, &wanted) }
  }

  private func membership(_ groups: ImageGroups, _ scan: FolderScan) -> (
    found: [Group], alone: Int, example: String
  ) {
    var places: [[UInt8]: Int] = [:]
    var found: [Group] = []
    var (alone, example) = (0, "")
    for (index, image) in scan.images.enumerated() {
      guard let name = groups.groupOfPath[Array(image.path.utf8)] else {
        if alone == 0 { example = image.path }
        alone += 1
        continue
      }
      let place = places[name] ?? found.count
      if place == found.count {
        places[name] = place
        found.append(Group(name: name))
      }
      found[place].images.append(index)
    }
    return (found, alone, example)
  }

  private mutating func place(_ group: Group, of scan: FolderScan, _ wanted: inout [[Int]]) {
    var counts: [Int: Int] = [:]
    for image in group.images { counts[scan.images[image].classIndex, default: 0] += 1 }
    let rows = counts.map { (classIndex: $0, count: $1) }
    let binCount = wanted.first?.count ?? 0
    let costs = (0..<binCount).map { bin in
      rows.reduce((over: 0, room: 0)) { sum, row in
        let room = max(0, wanted[row.classIndex][bin])
        return (sum.over + max(0, row.count - room), sum.room + room)
      }
    }
    let best = costs.indices.min { (costs[$0].over, costs[$1].room) < (costs[$1].over, costs[$0].room) } ?? 0
    for image in group.images { binOfImage[image] = Int32(truncatingIfNeeded: best) }
    for row in rows { wanted[row.classIndex][best] -= row.count }
  }
}

/// A generator that is seeded with every bit of `seed` and `name`.
private func keyedGenerator(_ seed: Int, _ name: [UInt8]) -> MersenneTwister {
  let bits = UInt64(bitPattern: Int64(seed))
  var key = [
    UInt32(truncatingIfNeeded: bits), UInt32(truncatingIfNeeded: bits >> 32),
    UInt32(truncatingIfNeeded: name.count),
  ]
  for start in stride(from: 0, to: name.count, by: 4) {
    key.append(name[start..<min(start + 4, name.count)].reversed().reduce(0) { $0 << 8 | UInt32($1) })
  }
  return MersenneTwister(key: key)
}
