/// A binary tree over the classes, in which the most confused classes are merged first (average linkage, UPGMA).
struct Dendrogram {
  struct Merge {
    /// The nodes that are merged. A node below `leafCount` is a class, a higher one the merge with that number less
    /// `leafCount`.
    let left: Int
    let right: Int
    /// The mean similarity between the classes of the two sides.
    let similarity: Double
  }
  let leafCount: Int
  /// The `leafCount` - 1 merges, most similar first; both sides come before their merge.
  private(set) var merges: [Merge] = []

  /// - Parameter similarity: symmetric, row-major, `leafCount` squared values.
  /// - Complexity: O(leafCount^2), by nearest-neighbour chains; ties go to the lowest class.
  init(similarity: [Double], leafCount: Int) {
    self.leafCount = leafCount
    guard leafCount > 1 else { return }
    var values = similarity
    var sizes = Array(repeating: 1, count: leafCount)
    var isAlive = Array(repeating: true, count: leafCount)
    var chain: [Int] = []
    // Clusters are named by one of their classes until all merges are known and can be sorted.
    var found: [Merge] = []
    // A mean of rounded means may exceed them by the last bit, but a merge must not be more similar than its sides.
    var ceilings = Array(repeating: Double.infinity, count: leafCount)
    var firstAlive = 0
    while found.count < leafCount - 1 {
      if chain.isEmpty {
        while !isAlive[firstAlive] { firstAlive += 1 }
        chain.append(firstAlive)
      }
      let top = chain[chain.count - 1]
      // The previous cluster of the chain wins ties, or the chain would not end.
      var nearest = chain.count > 1 ? chain[chain.count - 2] : -1
      var best = nearest < 0 ? -1 : values[top * leafCount + nearest]
      for other in 0..<leafCount where isAlive[other] && other != top {
        let value = values[top * leafCount + other]
        if value > best {
          best = value
          nearest = other
        }
      }
      guard chain.count > 1, nearest == chain[chain.count - 2] else {
        chain.append(nearest)
        continue
      }
      chain.removeLast(2)
      let (kept, gone) = (min(top, nearest), max(top, nearest))
      ceilings[kept] = min(best, ceilings[kept], ceilings[gone])
      found.append(Merge(left: kept, right: gone, similarity: ceilings[kept]))
      let (a, b) = (Double(sizes[kept]), Double(sizes[gone]))
      for other in 0..<leafCount where isAlive[other] && other != kept && other != gone {
        let mean = (a * values[kept * leafCount + other] + b * values[gone * leafCount + other]) / (a + b)
        values[kept * leafCount + other] = mean
        values[other * leafCount + kept] = mean
      }
      sizes[kept] += sizes[gone]
      isAlive[gone] = false
    }
    name(found)
  }

  /// Sorts the merges and names their sides by nodes.
  private mutating func name(_ found: [Merge]) {
    let order = found.indices.sorted { (-found[$0].similarity, $0) < (-found[$1].similarity, $1) }
    var parents = Array(0..<leafCount)
    var nodes = parents
    func root(_ leaf: Int) -> Int {
      var leaf = leaf
      while parents[leaf] != leaf {
        parents[leaf] = parents[parents[leaf]]
        leaf = parents[leaf]
      }
      return leaf
    }
    for index in order {
      let (left, right) = (root(found[index].left), root(found[index].right))
      merges.append(Merge(left: nodes[left], right: nodes[right], similarity: found[index].similarity))
      parents[right] = left
      nodes[left] = leafCount + merges.count - 1
    }
  }

  /// An order of the classes in which those of each merge are contiguous: its left side is start..<middle in `leaves`,
  /// its right side middle..<end.
  struct Layout {
    struct Piece {
      var start = 0
      var middle = 0
      var end = 0
    }
    var leaves: [Int]
    var pieces: [Piece]
  }

  var layout: Layout {
    func size(_ node: Int, _ pieces: [Layout.Piece]) -> Int {
      node < leafCount ? 1 : pieces[node - leafCount].end
    }
    var layout = Layout(leaves: Array(0..<leafCount), pieces: Array(repeating: .init(), count: merges.count))
    // Sizes from the leaves up, places from the root down.
    for (index, merge) in merges.enumerated() {
      layout.pieces[index].middle = size(merge.left, layout.pieces)
      layout.pieces[index].end = layout.pieces[index].middle + size(merge.right, layout.pieces)
    }
    for (index, merge) in merges.enumerated().reversed() {
      let piece = layout.pieces[index]
      for (node, start) in [(merge.left, piece.start), (merge.right, piece.middle)] {
        if node < leafCount {
          layout.leaves[start] = node
        } else {
          layout.pieces[node - leafCount].start += start
          layout.pieces[node - leafCount].middle += start
          layout.pieces[node - leafCount].end += start
        }
      }
    }
    return layout
  }
}

/// Optimal leaf ordering (Bar-Joseph, Gifford and Jaakkola 2001): of all orders that keep the classes of every merge
/// together, the one with the largest sum of the similarities of neighbours.
struct LeafOrder {
  private let count: Int
  private let layout: Dendrogram.Layout
  private let merges: [Dendrogram.Merge]
  /// The similarities by places in the layout, row-major.
  private var similarity: [Double]
  /// `best[u * count + w]` is the largest sum over the classes of the smallest merge that holds `u` and `w`, with `u`
  /// at one end and `w` at the other.
  private var best: [Double]

  /// - Parameter similarity: symmetric, row-major, by class.
  /// - Complexity: O(leafCount^3) at worst, in steps of a nanosecond.
  init(_ tree: Dendrogram, similarity values: [Double]) {
    count = tree.leafCount
    merges = tree.merges
    layout = tree.layout
    similarity = Array(repeating: 0, count: count * count)
    best = similarity
    for (u, a) in layout.leaves.enumerated() {
      for (w, b) in layout.leaves.enumerated() { similarity[u * count + w] = values[a * count + b] }
    }
    for index in merges.indices { solve(index) }
  }

  /// The classes, from one end to the other.
  var classes: [Int] {
    guard let root = merges.indices.last else { return layout.leaves }
    let piece = layout.pieces[root]
    var ends = (left: piece.start, right: piece.middle)
    for u in piece.start..<piece.middle {
      for w in piece.middle..<piece.end where best[u * count + w] > best[ends.left * count + ends.right] {
        ends = (u, w)
      }
    }
    var places: [Int] = []
    var pending: [(node: Int, left: Int, right: Int)] = [(root + count, ends.left, ends.right)]
    while let next = pending.popLast() {
      guard next.node >= count else {
        places.append(next.left)
        continue
      }
      let merge = merges[next.node - count]
      let leftComesFirst = next.left < layout.pieces[next.node - count].middle
      let (first, second) = leftComesFirst ? (merge.left, merge.right) : (merge.right, merge.left)
      let joint = innerEnds(first, second, outer: (next.left, next.right))
      pending.append((second, joint.second, next.right))
      pending.append((first, next.left, joint.first))
    }
    return places.map { layout.leaves[$0] }
  }

  /// The places at which the classes of `node` may end when they begin with `end`.
  private func opposite(_ node: Int, _ end: Int) -> Range<Int> {
    guard node >= count else { return end..<end + 1 }
    let piece = layout.pieces[node - count]
    return end < piece.middle ? piece.middle..<piece.end : piece.start..<piece.middle
  }

  private func innerEnds(_ first: Int, _ second: Int, outer: (Int, Int)) -> (first: Int, second: Int) {
    var ends = (first: outer.0, second: outer.1)
    var largest = -Double.infinity
    for k in opposite(first, outer.0) {
      for l in opposite(second, outer.1) {
        let sum = best[outer.0 * count + k] + similarity[k * count + l] + best[l * count + outer.1]
        if sum > largest {
          largest = sum
          ends = (k, l)
        }
      }
    }
    return ends
  }

  /// Computes `best` for the pairs whose smallest common merge is this one.
  private mutating func solve(_ index: Int) {
    let merge = merges[index]
    let piece = layout.pieces[index]
    let right = piece.middle..<piece.end
    // For each inner end of the right side: the largest sum over the left side and the joint.
    var reached = Array(repeating: 0.0, count: right.count)
    var sums = reached
    for u in piece.start..<piece.middle {
      for place in reached.indices {
        reached[place] = -.infinity
        sums[place] = -.infinity
      }
      for k in opposite(merge.left, u) {
        Self.raise(
          &reached, 0, by: best[u * count + k], plus: similarity, k * count + right.lowerBound, right.count)
      }
      for l in right {
        let ends = opposite(merge.right, l)
        Self.raise(
          &sums, ends.lowerBound - right.lowerBound, by: reached[l - right.lowerBound], plus: best,
          l * count + ends.lowerBound, ends.count)
      }
      for w in right {
        best[u * count + w] = sums[w - right.lowerBound]
        best[w * count + u] = sums[w - right.lowerBound]
      }
    }
  }

  /// Raises `target[start + i]` to at least `base + row[rowStart + i]`, for `count` values.
  private static func raise(
    _ target: inout [Double], _ start: Int, by base: Double, plus row: [Double], _ rowStart: Int, _ count: Int
  ) {
    precondition(
      start + count <= target.count && rowStart + count <= row.count, "a row lies inside the matrix")
    unsafe target.withUnsafeMutableBufferPointer { target in
      unsafe row.withUnsafeBufferPointer { row in
        for index in 0..<count {
          let sum = unsafe base + row[rowStart + index]
          if unsafe sum > target[start + index] { unsafe target[start + index] = sum }
        }
      }
    }
  }
}
