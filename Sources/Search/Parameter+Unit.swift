extension Parameter {
  /// The value at a place of 0...1. Whole numbers and categories have a cell of it each.
  public func value(at unit: Double) -> Value {
    switch domain {
    case .continuous: return .real(scale?.value(at: unit) ?? 0)
    case .integer(let range):
      let number = (scale?.value(at: unit) ?? 0).rounded()
      return .whole(min(max(Int(exactly: number) ?? range.lowerBound, range.lowerBound), range.upperBound))
    case .categorical(let values):
      let cell = (unit * Double(values.count)).rounded(.down)
      return .choice(values[min(max(Int(exactly: cell) ?? 0, 0), values.count - 1)])
    }
  }

  /// Where a value is in 0...1: of a category, the middle of its cell; of a number beyond the bounds, a place beyond.
  /// - Returns: `nil` for a value of another kind, or one that the scale has no place for.
  public func unit(of value: Value) -> Double? {
    switch (domain, value) {
    case (.continuous, .real(let number)): scale?.unit(of: number)
    case (.continuous, .whole(let number)): scale?.unit(of: Double(number))
    case (.integer, .whole(let number)): scale?.unit(of: Double(number))
    case (.categorical(let values), .choice(let text)):
      values.firstIndex(of: text).map { (Double($0) + 0.5) / Double(values.count) }
    default: nil
    }
  }
}
