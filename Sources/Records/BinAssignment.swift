/// Which bin each image of a scan goes to.
struct BinAssignment {
  /// In the order of the scan's images.
  private(set) var binOfImage: [Int32]
  private(set) var warnings: [SplitWarning] = []

  init(_ scan: FolderScan, _ bins: SplitBins, seed: Int, groups: ImageGroups?) {
    binOfImage = [Int32](repeating: -1, count: scan.images.count)
    // How many images each class still wants in each bin; below 0 where groups filled it over.
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

  /// Places the groups of two and more images, the largest first, each where it overfills least.
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
    // Among groups of one size the seed decides, from the name alone, so that other classes' groups do not matter.
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

/// A generator that depends on the seed and a name, on every bit of both.
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
