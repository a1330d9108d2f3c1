/// L-BFGS (Nocedal and Wright 2006, algorithm 7.5) with a line search that halves until it descends enough.
struct QuasiNewton {
  /// Steps that are remembered.
  var memory = 8
  var steps = 60
  /// The search ends where a step brings less than this.
  var tolerance = 1e-7
  /// The longest step in any coordinate.
  var reach = 2.0

  /// - Parameter function: a value and its gradient; `nil` where there is none, which is never stepped to.
  /// - Returns: the least point found and its value; `nil` where the start has none.
  func minimum(
    from start: [Double], _ function: ([Double]) -> (value: Double, gradient: [Double])?
  ) -> (point: [Double], value: Double)? {
    guard var (value, gradient) = function(start), value.isFinite else { return nil }
    var point = start
    var moves: [(step: [Double], turn: [Double], curvature: Double)] = []
    for _ in 0..<steps {
      var direction = Self.direction(gradient, moves)
      var descent = Self.dot(direction, gradient)
      if descent >= 0 {
        moves = []
        direction = gradient.map { -$0 }
        descent = -Self.dot(gradient, gradient)
      }
      let longest = direction.reduce(0) { max($0, abs($1)) }
      guard longest > 0, descent.isFinite else { break }
      var length = moves.isEmpty ? min(1, 0.5 / longest) : 1
      length = min(length, reach / longest)
      var found: (point: [Double], value: Double, gradient: [Double])?
      for _ in 0..<20 {
        let tried = zip(point, direction).map { $0 + length * $1 }
        if let (new, slope) = function(tried), new.isFinite, new <= value + 1e-4 * length * descent {
          found = (tried, new, slope)
          break
        }
        length *= 0.5
      }
      guard let found else { break }
      let step = zip(found.point, point).map { $0 - $1 }
      let turn = zip(found.gradient, gradient).map { $0 - $1 }
      let curvature = Self.dot(step, turn)
      if curvature > 1e-12 * Self.dot(turn, turn) {
        moves.append((step, turn, curvature))
        if moves.count > memory { moves.removeFirst() }
      }
      let gained = value - found.value
      (point, value, gradient) = found
      if gained < tolerance { break }
    }
    return (point, value)
  }

  private static func direction(
    _ gradient: [Double], _ moves: [(step: [Double], turn: [Double], curvature: Double)]
  ) -> [Double] {
    var direction = gradient
    var shares: [Double] = []
    for move in moves.reversed() {
      let share = dot(move.step, direction) / move.curvature
      shares.append(share)
      for k in direction.indices { direction[k] -= share * move.turn[k] }
    }
    if let last = moves.last {
      let scale = last.curvature / dot(last.turn, last.turn)
      for k in direction.indices { direction[k] *= scale }
    }
    for (move, share) in zip(moves, shares.reversed()) {
      let other = dot(move.turn, direction) / move.curvature
      for k in direction.indices { direction[k] += (share - other) * move.step[k] }
    }
    return direction.map { -$0 }
  }

  private static func dot(_ one: [Double], _ other: [Double]) -> Double {
    var sum = 0.0
    for (a, b) in zip(one, other) { sum += a * b }
    return sum
  }
}
