/// Points spread over the unit cube, as many as will be used: each coordinate has one in each of as many cells.
enum LatinHypercube {
  /// Designs tried; the one whose nearest points are farthest from each other is taken (Morris and Mitchell 1995).
  private static let trials = 60

  static func points(_ count: Int, width: Int, _ chance: inout Chance) -> [[Double]] {
    var best: (points: [[Double]], distance: Double)?
    for _ in 0..<trials {
      let points = one(count, width, &chance)
      let distance = nearest(points)
      if distance > best?.distance ?? -1 { best = (points, distance) }
    }
    return best?.points ?? []
  }

  private static func one(_ count: Int, _ width: Int, _ chance: inout Chance) -> [[Double]] {
    var points = [[Double]](repeating: [], count: count)
    for _ in 0..<width {
      let cells = (0..<count).shuffled(using: &chance)
      for index in 0..<count {
        points[index].append((Double(cells[index]) + chance.fraction()) / Double(count))
      }
    }
    return points
  }

  /// The least squared distance of two points.
  private static func nearest(_ points: [[Double]]) -> Double {
    var least = Double.infinity
    for (index, one) in points.enumerated() {
      for other in points[..<index] {
        var sum = 0.0
        for (a, b) in zip(one, other) { sum += (a - b) * (a - b) }
        least = min(least, sum)
      }
    }
    return least
  }
}
