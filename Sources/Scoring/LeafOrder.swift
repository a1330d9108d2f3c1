/// Optimal leaf ordering (Bar-Joseph, Gifford and Jaakkola 2001): of all orders of the leaves that keep the classes
/// of every merge together, the one in which neighbours are most similar, summed.
struct LeafOrder {
  private let count: Int
  private let layout: Dendrogram.Layout
  private let merges: [Dendrogram.Merge]
  /// By places in the layout, row-major.
  private var similarity: [Double]
  /// `best[u * count + w]`: the largest sum over the classes of the smallest merge that holds `u` and `w`, with `u` at
  /// one end and `w` at the other.
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

  /// The classes, one end first.
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

  /// Fills `best` for the pairs whose smallest common merge is this one.
  private mutating func solve(_ index: Int) {
    let merge = merges[index]
    let piece = layout.pieces[index]
    let right = piece.middle..<piece.end
    // By the place of the right side's inner end: the best of the left side and the joint.
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

  /// `target[start + i]` becomes at least `base + row[rowStart + i]`, for `count` values.
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
