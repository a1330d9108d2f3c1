public import Models

/// An exponential moving average of a network's weights and moving statistics.
///
/// Early on it follows faster, with a decay of (1 + n) / (10 + n) after n updates: it would else be of the first weights.
public struct MovingAverage: Sendable {
  public let decay: Double
  public private(set) var arrays: [String: Parameters.Array]

  /// - Parameter decay: what stays of the average at each update, 0..<1.
  public init(decay: Double, start: Parameters) throws(ModelError) {
    self.decay = decay
    arrays = try start.arraysInMemory()
  }

  public init(decay: Double, arrays: [String: Parameters.Array]) {
    self.decay = decay
    self.arrays = arrays
  }

  public var parameters: Parameters { Parameters(arrays) }

  /// - Parameter updates: made so far, this one included.
  /// - Complexity: O(numbers).
  public mutating func add(_ parameters: Parameters, updates: Int) throws(ModelError) {
    let kept = Float(min(decay, Double(1 + updates) / Double(10 + updates)))
    for name in Array(arrays.keys) {
      guard let old = arrays.removeValue(forKey: name) else { continue }
      let new = try parameters.values(of: name)
      guard new.count == old.values.count else {
        throw ModelError("the parameter \(name) has \(new.count) numbers, and had \(old.values.count)")
      }
      var values = old.values
      var span = values.mutableSpan
      for place in span.indices { span[place] = kept * span[place] + (1 - kept) * new[place] }
      arrays[name] = Parameters.Array(shape: old.shape, values: values)
    }
  }
}
