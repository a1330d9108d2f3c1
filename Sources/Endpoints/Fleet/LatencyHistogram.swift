/// Request latencies in fixed buckets, ten per power of ten from 0.1 ms to 100 s. Memory and time do not grow
/// with the number of requests. A quantile is accurate to one bucket, 26 %.
public struct LatencyHistogram: Hashable, Sendable {
  /// Counts by bucket; the last bucket is for everything longer than 100 s.
  private var counts = [Int](repeating: 0, count: bounds.count + 1)
  public private(set) var count = 0
  /// The sum of all latencies.
  public private(set) var total = Duration.zero
  public private(set) var longest = Duration.zero

  public init() {}

  /// The upper bounds of the buckets, in seconds.
  static let bounds: [Double] = (0...60).map { step in
    var value = 1e-4
    for _ in 0..<step / 10 { value *= 10 }
    return value * tenths[step % 10]
  }
  /// 10^(n/10)
  private static let tenths = [
    1, 1.258_925_411_794_167_2, 1.584_893_192_461_113_5, 1.995_262_314_968_879_6, 2.511_886_431_509_580_1,
    3.162_277_660_168_379_4, 3.981_071_705_534_972_5, 5.011_872_336_272_722, 6.309_573_444_801_932,
    7.943_282_347_242_815,
  ]

  /// Counts one latency; O(log buckets).
  public mutating func record(_ latency: Duration) {
    counts[Self.step(of: latency / .seconds(1))] += 1
    count += 1
    total += latency
    longest = max(longest, latency)
  }

  /// The index of the bucket that a latency, in seconds, belongs to.
  static func step(of seconds: Double) -> Int {
    var (low, high) = (0, bounds.count)
    while low < high {
      let middle = (low + high) / 2
      if bounds[middle] < seconds { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The latency that a given share of the requests did not exceed; nil if nothing was recorded.
  ///
  /// - Parameter share: 0...1.
  public func quantile(_ share: Double) -> Duration? {
    guard count > 0 else { return nil }
    let wanted = max(1, Int(exactly: (share * Double(count)).rounded(.up)) ?? count)
    var seen = 0
    for (step, number) in counts.enumerated() {
      seen += number
      if seen >= wanted {
        return step < Self.bounds.count ? min(longest, .seconds(Self.bounds[step])) : longest
      }
    }
    return longest
  }

  /// The mean latency; nil if nothing was recorded.
  public var mean: Duration? { count > 0 ? total / count : nil }
}
