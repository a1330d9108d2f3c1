/// A binary tree over the classes: those taken for each other most are joined first (average linkage, UPGMA).
struct Dendrogram {
  struct Merge {
    /// Nodes: below `leafCount` a class, above it the merge of that number less `leafCount`.
    let left: Int
    let right: Int
    /// Mean similarity between the two sides.
    let similarity: Double
  }
  let leafCount: Int
  /// `leafCount` - 1 of them, most similar first; sides come before what they are merged into.
  private(set) var merges: [Merge] = []

  /// - Parameter similarity: symmetric, row-major, `leafCount` squared.
  /// - Complexity: O(leafCount^2) by chains of nearest neighbours; ties go to the lowest class.
  init(similarity: [Double], leafCount: Int) {
    self.leafCount = leafCount
    guard leafCount > 1 else { return }
    var values = similarity
    var sizes = Array(repeating: 1, count: leafCount)
    var isAlive = Array(repeating: true, count: leafCount)
    var chain: [Int] = []
    // Clusters are named by one of their classes until all merges are known and can be put in order.
    var found: [Merge] = []
    // A mean of rounded means may exceed them by the last bit; a merge is never more similar than its sides.
    var ceilings = Array(repeating: Double.infinity, count: leafCount)
    var firstAlive = 0
    while found.count < leafCount - 1 {
      if chain.isEmpty {
        while !isAlive[firstAlive] { firstAlive += 1 }
        chain.append(firstAlive)
      }
      let top = chain[chain.count - 1]
      // The one before it in the chain wins ties, or the chain would not end.
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

  /// Puts the merges in order and names their sides by node.
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

  /// The classes of each merge stand in one piece of `leaves`: those of its left side in start..<middle, those of its
  /// right side in middle..<end.
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
