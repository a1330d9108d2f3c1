import Foundation

/// Trials of a search as lines across one axis for each parameter, and one for the objective: the best in front.
package struct ParallelCoordinates {
  package struct Axis {
    package enum Kind {
      case linear(Double, Double)
      /// Both ends above 0.
      case logarithmic(Double, Double)
      case categories([String])
    }
    var name: String
    var kind: Kind

    package init(_ name: String, _ kind: Kind) { (self.name, self.kind) = (name, kind) }
  }

  package enum Mark { case usual, best, failed }

  package struct Strand {
    /// A value for each axis, as the search wrote it; nil: none.
    var values: [String?]
    var mark: Mark

    package init(_ values: [String?], _ mark: Mark) { (self.values, self.mark) = (values, mark) }
  }

  var axes: [Axis]
  var strands: [Strand]

  package init(axes: [Axis], strands: [Strand]) { (self.axes, self.strands) = (axes, strands) }

  /// nil where there is nothing to draw: fewer than two axes, or no trial.
  package func chart(id: String, title: String) -> Chart? {
    guard axes.count >= 2, !strands.isEmpty else { return nil }
    let (width, height, left, top) = (max(640, Double(axes.count) * 170), 330.0, 70.0, 44.0)
    let (across, down) = (width - 2 * left, height - top - 34)
    var chart = Chart(
      id: id, title: title,
      description: "\(counted(strands.count, "job")), one line each; the best is thick.",
      width: width, height: height)
    chart.isWide = true
    func x(_ axis: Int) -> Double { left + across * Double(axis) / Double(axes.count - 1) }
    for (order, marks) in [(Mark.failed, "strand-bad"), (.usual, "strand"), (.best, "strand-best")] {
      for strand in strands where strand.mark == order {
        // A line breaks where a value is missing.
        var line: [(Double, Double)] = []
        for (index, axis) in axes.enumerated() {
          if index < strand.values.count, let value = strand.values[index], let place = axis.place(value) {
            line.append((x(index), top + down * (1 - place)))
          } else {
            if line.count > 1 { chart.path(line, marks) }
            line = []
          }
        }
        if line.count > 1 { chart.path(line, marks) }
        if order == .best { for point in line { chart.circle(point.0, point.1, 4, "dot-right") } }
      }
    }
    for (index, axis) in axes.enumerated() {
      chart.line(x(index), top, x(index), top + down, "axis")
      chart.text(x(index), 16, clipped(axis.name, to: 22), .middle)
      for (place, words) in axis.ticks {
        let y = top + down * (1 - place)
        chart.line(x(index) - 4, y, x(index), y, "axis")
        chart.text(x(index) - 7, y + 4, clipped(words, to: 12), .end, style: "tick")
      }
    }
    return chart
  }
}

extension ParallelCoordinates.Axis {
  /// 0...1; nil where the value is none of this axis.
  func place(_ text: String) -> Double? {
    switch kind {
    case .categories(let names):
      guard let index = names.firstIndex(of: text) else { return nil }
      return names.count > 1 ? Double(index) / Double(names.count - 1) : 0.5
    case .linear(let low, let high):
      guard let value = Double(text), value.isFinite else { return nil }
      return high > low ? min(1, max(0, (value - low) / (high - low))) : 0.5
    case .logarithmic(let low, let high):
      guard let value = Double(text), value > 0, value.isFinite, low > 0 else { return nil }
      return high > low ? min(1, max(0, log(value / low) / log(high / low))) : 0.5
    }
  }

  var ticks: [(Double, String)] {
    switch kind {
    case .categories(let names):
      let shown = names.count > 12 ? [names[0], names[names.count - 1]] : names
      return shown.compactMap { name in place(name).map { ($0, name) } }
    case .linear(let low, let high):
      let values = high > low ? [low, low + (high - low) / 2, high] : [low]
      return values.compactMap { value in place("\(value)").map { ($0, short(value)) } }
    case .logarithmic(let low, let high):
      let values = high > low ? [low, (low * high).squareRoot(), high] : [low]
      return values.compactMap { value in place("\(value)").map { ($0, short(value)) } }
    }
  }

  /// Three digits that count.
  private func short(_ value: Double) -> String {
    let size = abs(value)
    if size == 0 { return "0" }
    if size >= 1e5 || size < 1e-3 {
      var (number, power) = (value, 0)
      while abs(number) >= 9.995 { (number, power) = (number / 10, power + 1) }
      while abs(number) < 0.9995 { (number, power) = (number * 10, power - 1) }
      return "\(trimmed(number, 1))e\(power)"
    }
    return trimmed(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4)
  }

  private func trimmed(_ value: Double, _ decimals: Int) -> String {
    let text = decimal(value, decimals)
    guard text.contains(".") else { return text }
    return String(text.reversed().drop { $0 == "0" }.drop { $0 == "." }.reversed())
  }
}
