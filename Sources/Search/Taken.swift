/// Configurations that are not to be proposed again.
struct Taken {
  private let space: Space
  private let configurations: Set<Configuration>
  private let points: [[Double]]

  /// Points of the unit cube that are nearer than this in each coordinate are one to a model.
  static let nearness = 1e-4

  init(_ space: Space, _ history: History) {
    self.space = space
    let taken = history.taken
    configurations = Set(taken)
    points = taken.compactMap(space.point)
  }

  func contains(_ configuration: Configuration) -> Bool { configurations.contains(configuration) }

  /// Whether it is among them, or so near to one that a job would bring nothing new.
  func isNear(_ configuration: Configuration) -> Bool {
    if contains(configuration) { return true }
    guard let point = space.point(of: configuration) else { return true }
    return points.contains { other in zip(point, other).allSatisfy { abs($0 - $1) < Self.nearness } }
  }
}
