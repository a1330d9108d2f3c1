public import Metrics
import Synchronization

/// The server's metrics, in memory, for Prometheus to scrape.
///
/// Counters, gauges, and timers as histograms with fixed buckets. Memory does not grow with the number of
/// requests; and because each metric has a bounded number of label sets, it does not grow with the names that
/// clients send.
public final class PrometheusMetrics: MetricsFactory {
  /// The maximum number of label sets of a metric; further ones are counted together under `overflow="true"`.
  static let seriesLimit = 200

  private struct Family {
    let kind: Kind
    var series: [Labels: Series] = [:]
  }
  private let families = Mutex<[String: Family]>([:])

  public init() {}

  // MARK: - The factory

  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    series(label, dimensions, .counter)
  }
  public func makeFloatingPointCounter(label: String, dimensions: [(String, String)])
    -> any FloatingPointCounterHandler
  {
    series(label, dimensions, .counter)
  }
  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    series(label, dimensions, .gauge)
  }
  public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool)
    -> any RecorderHandler
  {
    series(label, dimensions, aggregate ? .summary : .gauge)
  }
  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    series(label, dimensions, .histogram)
  }
  // Series live as long as the server: Prometheus would take a counter that disappears and returns for a
  // reset.
  public func destroyCounter(_ handler: any CounterHandler) {}
  public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
  public func destroyMeter(_ handler: any MeterHandler) {}
  public func destroyRecorder(_ handler: any RecorderHandler) {}
  public func destroyTimer(_ handler: any TimerHandler) {}

  /// The series of a metric and its labels. A name already in use for another kind of metric gets a suffix.
  private func series(_ label: String, _ dimensions: [(String, String)], _ kind: Kind) -> Series {
    let labels = Labels(dimensions)
    var name = Self.cleaned(label)
    return families.withLock { families in
      if let known = families[name], known.kind != kind { name += "_\(kind.rawValue)" }
      var family = families[name] ?? Family(kind: kind)
      defer { families[name] = family }
      if let known = family.series[labels] { return known }
      let place = family.series.count < Self.seriesLimit ? labels : Labels([("overflow", "true")])
      let series = family.series[place] ?? Series(kind)
      family.series[place] = series
      return series
    }
  }

  /// All metrics in Prometheus' text format, sorted by name.
  public func text() -> String {
    var text = ""
    for (name, family) in families.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
      let whole = family.kind == .counter && !name.hasSuffix("_total") ? name + "_total" : name
      text += "# TYPE \(whole) \(family.kind.rawValue)\n"
      for (labels, series) in family.series.sorted(by: { $0.key.text < $1.key.text }) {
        series.write(whole, labels, to: &text)
      }
    }
    return text
  }

  enum Kind: String, Sendable { case counter, gauge, summary, histogram }

  private static func cleaned(_ name: String) -> String {
    let body = String(
      name.unicodeScalars.map { scalar in
        scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)) || scalar == "_"
          ? Character(scalar) : "_"
      })
    return body.first.map { $0.isNumber ? "_" + body : body } ?? "_"
  }

  /// `a="b",c="d"`: labels without their braces.
  fileprivate struct Labels: Hashable {
    let text: String

    init(_ dimensions: [(String, String)]) {
      text = dimensions.map { name, value in
        let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
          .replacing("\n", with: "\\n")
        return "\(PrometheusMetrics.cleaned(name))=\"\(escaped)\""
      }.joined(separator: ",")
    }

    func with(_ extra: String? = nil) -> String {
      let all = [text.isEmpty ? nil : text, extra].compactMap(\.self).joined(separator: ",")
      return all.isEmpty ? "" : "{\(all)}"
    }
  }

  /// The values of one label set.
  fileprivate final class Series: CounterHandler, FloatingPointCounterHandler, MeterHandler,
    RecorderHandler, TimerHandler
  {
    /// The upper bounds of the histogram's buckets, in seconds.
    static let bounds: [Double] = [
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
    private struct State {
      var value = 0.0
      var count = 0
      var steps: [Int]
    }
    private let kind: Kind
    private let state: Mutex<State>

    init(_ kind: Kind) {
      self.kind = kind
      state = Mutex(State(steps: kind == .histogram ? Array(repeating: 0, count: Self.bounds.count) : []))
    }

    func increment(by amount: Int64) { increment(by: Double(amount)) }
    func increment(by amount: Double) { state.withLock { $0.value += amount } }
    func decrement(by amount: Double) { state.withLock { $0.value -= amount } }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { state.withLock { $0.value = value } }
    func reset() { state.withLock { $0.value = 0 } }

    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) {
      state.withLock { state in
        state.value = kind == .gauge ? value : state.value + value
        state.count += 1
      }
    }

    func recordNanoseconds(_ duration: Int64) {
      let seconds = Double(duration) / 1e9
      state.withLock { state in
        state.value += seconds
        state.count += 1
        if let step = Self.bounds.firstIndex(where: { seconds <= $0 }) { state.steps[step] += 1 }
      }
    }

    func write(_ name: String, _ labels: Labels, to text: inout String) {
      let state = state.withLock { $0 }
      switch kind {
      case .counter, .gauge: text += "\(name)\(labels.with()) \(number(state.value))\n"
      case .summary:
        text +=
          "\(name)_sum\(labels.with()) \(number(state.value))\n\(name)_count\(labels.with()) \(state.count)\n"
      case .histogram:
        var sum = 0
        for (bound, count) in zip(Self.bounds, state.steps) {
          sum += count
          text += "\(name)_bucket\(labels.with("le=\"\(number(bound))\"")) \(sum)\n"
        }
        text += "\(name)_bucket\(labels.with("le=\"+Inf\"")) \(state.count)\n"
        text +=
          "\(name)_sum\(labels.with()) \(number(state.value))\n\(name)_count\(labels.with()) \(state.count)\n"
      }
    }

    private func number(_ value: Double) -> String {
      if value.isNaN { return "NaN" }
      if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
      return Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }
  }
}
